import { execFile } from 'node:child_process'
import { appendFileSync, chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Pool } from '../../src/pop/batch/cluster.ts'
import { freePort } from './free-port.ts'

const run = promisify(execFile)
const SCRIPT = join(import.meta.dirname, 'condor-lab.sh')

/** A real HTCondor pool of one machine behind a real sshd; `stop` leaves nothing behind but the unpacked programs. */
export interface CondorLab {
  readonly directory: string
  readonly pool: Pool
  /** Lets a public key log in. */
  admit(publicKey: string): void
  /** Ends the daemon of the queue as a crash would; the master starts it again. */
  killSchedd(): void
  /** What a command of HTCondor says to the administrator. */
  condor(command: string, ...words: string[]): Promise<string>
  stop(): Promise<void>
}

export async function startCondorLab(): Promise<CondorLab> {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-condor-'))
  chmodSync(directory, 0o755)
  await run(SCRIPT, ['start', directory, String(await freePort()), String(await freePort())])
  // What is sent along is the same for all that are behind ssh; here the pool has a Node of its own.
  const node = join(directory, 'node')
  copyFileSync(process.execPath, node)
  chmodSync(node, 0o755)
  const text = (name: string) => readFileSync(join(directory, name), 'utf8').trim()
  return {
    directory,
    pool: {
      ...{ host: '127.0.0.1', port: Number(text('port')), user: text('user'), hostKey: text('host-key') },
      ...{ account: '', attributes: '', directory: '.kumihimo', node, pollSeconds: 1 },
    },
    admit: (publicKey) => appendFileSync(join(directory, 'authorized_keys'), `${publicKey}\n`),
    killSchedd() {
      const master = text('pid/condor')
      const found = readdirSync('/proc').find((pid) => isChild(pid, master, 'condor_schedd'))
      process.kill(Number(found), 'SIGKILL')
    },
    condor: async (command, ...words) => (await run(SCRIPT, ['inside', directory, command, ...words])).stdout,
    stop: async () => void (await run(SCRIPT, ['stop', directory])),
  }
}

function isChild(pid: string, parent: string, name: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.includes(`(${name})`) && stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === parent
  } catch {
    return false
  }
}
