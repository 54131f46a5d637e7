import { readdirSync, readFileSync } from 'node:fs'

/** In place of a pilot: says that it began, then ends with the code of its configuration, or waits to be told. */
export const WAITING_PROGRAM = `import { appendFileSync, readFileSync } from 'node:fs'
const { stamp, mark, code } = JSON.parse(readFileSync(process.argv[3], 'utf8'))
appendFileSync(mark, stamp + '\\n')
if (code !== undefined) process.exit(code)
process.on('SIGTERM', () => process.exit(0))
setInterval(() => undefined, 1000)
`

/** The process of a pilot that a batch system of this machine started. */
export const pidWith = (stamp: string): number | undefined => {
  const found = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && runs(entry, stamp))
  return found === undefined ? undefined : Number(found)
}

function runs(pid: string, stamp: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return command.some((word) => word.includes(`/kumi-${stamp}-`)) && command[0]!.endsWith('node')
  } catch {
    return false
  }
}
