import { defineError } from '../../kernel/errors.ts'

const interrupted = defineError('invalid', 'interrupted')

/** Asks for a password without showing it; reads one line when the input is not a terminal. */
export async function askPassword(prompt: string): Promise<string> {
  const { stdin, stderr } = process
  if (!stdin.isTTY) return (await readLines(1))[0]!
  stderr.write(prompt)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  try {
    let typed = ''
    // Another question may follow.
    for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
      for (const key of String(chunk)) {
        if (key === '\r' || key === '\n' || key === '\u0004') return typed
        if (key === '\u0003') throw interrupted('Interrupted.')
        typed = key === '\u007f' || key === '\b' ? [...typed].slice(0, -1).join('') : typed + key
      }
    }
    return typed
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
}

/** So many lines of the standard input; empty ones where it has fewer. */
export async function readLines(count: number): Promise<string[]> {
  let text = ''
  for await (const chunk of process.stdin) text += String(chunk)
  const lines = text.split(/\r?\n/)
  return Array.from({ length: count }, (_, i) => lines[i] ?? '')
}
