import { execFile } from 'node:child_process'
import { appendFileSync, chmodSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Cluster } from '../../src/pop/batch/cluster.ts'
import { freePort } from './free-port.ts'

const run = promisify(execFile)
const SCRIPT = join(import.meta.dirname, 'slurm-lab.sh')

/** A real Slurm of one node behind a real sshd on this machine; `stop` leaves nothing behind. */
export interface SlurmLab {
  readonly directory: string
  readonly cluster: Cluster
  /** Lets a public key log in. */
  admit(publicKey: string): void
  /** Process number of a daemon. */
  pidOf(name: 'slurmctld' | 'slurmd' | 'sshd'): number
  restart(name: 'slurmctld' | 'slurmd' | 'sshd'): Promise<void>
  /** What a command of Slurm says to the administrator. */
  slurm(command: string, ...words: string[]): Promise<string>
  stop(): Promise<void>
}

export async function startSlurmLab(): Promise<SlurmLab> {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-slurm-'))
  chmodSync(directory, 0o755)
  const ports = [await freePort(), await freePort(), await freePort()]
  await run(SCRIPT, ['start', directory, ...ports.map(String)])
  const text = (name: string) => readFileSync(join(directory, name), 'utf8').trim()
  return {
    directory,
    cluster: {
      ...{ host: '127.0.0.1', port: Number(text('port')), user: text('user'), hostKey: text('host-key') },
      ...{ partition: 'short', account: '', qos: '', directory: '.kumihimo', node: '', pollSeconds: 1 },
    },
    admit: (publicKey) => appendFileSync(join(directory, 'authorized_keys'), `${publicKey}\n`),
    pidOf: (name) => Number(text(`pid/${name}`)),
    restart: async (name) => void (await run(SCRIPT, ['restart', directory, name])),
    slurm: async (command, ...words) => {
      const env = { ...process.env, SLURM_CONF: join(directory, 'slurm.conf') }
      return (await run(command, words, { env })).stdout
    },
    stop: async () => void (await run(SCRIPT, ['stop', directory])),
  }
}
