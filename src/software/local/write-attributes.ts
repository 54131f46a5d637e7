import { spawn } from 'node:child_process'

/**
 * Gives a file or a directory of ours its extended attributes, as far as this account and the file system can: powers
 * (capabilities) are not given, as set-id bits are not. Node cannot write them: `setfattr` does, of the package attr.
 * False where it is missing or fails.
 */
export async function giveAttributes(
  file: string,
  xattrs: Readonly<Record<string, string>>,
): Promise<boolean> {
  const given = attributesGiven(xattrs)
  if (given.length === 0) return true
  const dump = [
    `# file: ${escaped(file)}`,
    ...given.map(([name, value]) => `${escaped(name)}=0s${value}`),
    '',
  ]
  return new Promise((resolve) => {
    const child = spawn('setfattr', ['--restore=-'], { stdio: ['pipe', 'ignore', 'ignore'] })
    child.on('error', () => resolve(false))
    child.on('close', (code) => resolve(code === 0))
    // It may end before it has read anything.
    child.stdin.on('error', () => undefined)
    child.stdin.end(`${dump.join('\n')}\n`)
  })
}

/** Those that are given; the others are not missing. */
export const attributesGiven = (xattrs: Readonly<Record<string, string>> = {}): [string, string][] =>
  Object.entries(xattrs).filter(([name]) => name.startsWith('user.'))

/** Names as `getfattr --dump` writes them: line ends and backslashes as three octal digits; in attributes `=`, too. */
const escaped = (text: string): string =>
  text.replace(/[\\\n\r=]/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`)
