import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ArcPlace } from '../../src/pop/batch/arc-place.ts'
import { freePort } from './free-port.ts'

const run = promisify(execFile)
const SCRIPT = join(import.meta.dirname, 'arc-lab.sh')

/** A real ARC computing element of one node on this machine; `stop` leaves nothing behind. */
export interface ArcLab {
  readonly directory: string
  /** As somebody with a certificate of its authority comes there. */
  readonly place: ArcPlace
  /** A certificate that it admits, with its key. */
  readonly credential: string
  /** The account that its jobs run as. */
  readonly user: string
  /** Process number of a daemon: what serves the interface, and what looks after the jobs. */
  pidOf(name: 'ws' | 'arex'): number
  restart(name: 'ws' | 'arex'): Promise<void>
  stop(): Promise<void>
}

export async function startArcLab(): Promise<ArcLab> {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-arc-'))
  chmodSync(directory, 0o755)
  await run(SCRIPT, ['start', directory, String(await freePort())])
  const text = (name: string) => readFileSync(join(directory, name), 'utf8').trim()
  return {
    directory,
    place: {
      ...{ url: text('url'), credential: 'certificate', audience: '', authority: text('ca.pem') },
      ...{ queue: '', node: '', pollSeconds: 1 },
    },
    credential: `${text('usercert.pem')}\n${text('userkey.pem')}\n`,
    user: text('user'),
    pidOf: (name) => Number(text(`pid/${name}`)),
    restart: async (name) => void (await run(SCRIPT, ['restart', directory, name])),
    stop: async () => void (await run(SCRIPT, ['stop', directory])),
  }
}
