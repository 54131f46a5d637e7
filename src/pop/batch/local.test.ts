import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { batchContract } from './batch.contract.ts'
import { localBatch } from './local.ts'

const directory = mkdtempSync(join(tmpdir(), 'kumi-batch-'))
const program = join(directory, 'pilot.mjs')
const mark = join(directory, 'begun')
const pilots = join(directory, 'pilots')

beforeAll(() =>
  writeFileSync(
    program,
    `import { appendFileSync, readFileSync } from 'node:fs'
     const { stamp, mark, code } = JSON.parse(readFileSync(process.argv[3], 'utf8'))
     appendFileSync(mark, stamp + '\\n')
     if (code !== undefined) process.exit(code)
     process.on('SIGTERM', () => process.exit(0))
     setInterval(() => undefined, 1000)`,
  ),
)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

batchContract('local', () => ({
  mark,
  again: () => localBatch({ directory: pilots, program }),
  pilot: (stamp, behaviour) => ({ stamp, mark, ...(behaviour === 'forever' ? {} : behaviour) }),
  async kill(stamp) {
    const shell = readFileSync(join(pilots, stamp, 'pid'), 'utf8').trim()
    const child = () => readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && parentOf(pid) === shell)
    await expect.poll(child, { timeout: 30_000 }).toBeDefined()
    process.kill(Number(child()), 'SIGKILL')
  },
}))

function parentOf(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]
  } catch {
    return undefined
  }
}
