import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock } from '../../kernel/ports.ts'
import type { BatchPilot, BatchSystem, PilotFile } from './batch-system.ts'

export interface LocalBatchOptions {
  /** Holds a directory for each pilot. */
  readonly directory: string
  /** The compiled pilot program. */
  readonly program: string
  readonly clock?: Clock
}

const LOOK_MS = 50
const STAMP = /^[A-Za-z0-9_-]{1,32}$/

/**
 * Pilots as processes of this machine. What is known of them lies in their directories, so that another run of this
 * program finds them again; they outlive it, as they would in a batch system.
 */
export function localBatch({ directory, program, clock = systemClock }: LocalBatchOptions): BatchSystem {
  mkdirSync(directory, { recursive: true, mode: 0o711 })
  // No stamp begins with a dot.
  const softwareDirectory = join(directory, '.software')
  const at = (stamp: string, ...rest: string[]): string => {
    if (!STAMP.test(stamp)) throw new Error(`"${stamp}" is no stamp of a pilot.`)
    return join(directory, stamp, ...rest)
  }

  async function start(stamp: string, prepare: (stamp: string) => Promise<PilotFile>): Promise<void> {
    if (existsSync(at(stamp, 'pid'))) return
    const config = await prepare(stamp)
    mkdirSync(at(stamp), { recursive: true, mode: 0o711 })
    writeWhole(
      at(stamp, 'pilot.json'),
      JSON.stringify({ ...config, directory: at(stamp), softwareDirectory }),
    )
    // The shell tells how the pilot ended even when nobody was there to see it.
    // It lives through the signal that ends the pilot; a trap, unlike a signal ignored, is not passed on.
    const script =
      'trap : TERM INT; "$1" --max-old-space-size=192 "$2" --config "$3/pilot.json" 2>>"$3/out"; echo $? > "$3/exit"'
    const child = spawn('/bin/sh', ['-c', script, 'sh', process.execPath, program, at(stamp)], {
      ...{ cwd: at(stamp), detached: true, stdio: 'ignore' },
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: at(stamp), TZ: 'UTC' },
    })
    child.once('error', () => undefined)
    await Promise.race([once(child, 'spawn'), once(child, 'error')])
    writeWhole(at(stamp, 'pid'), String(child.pid ?? 0))
    child.unref()
  }

  const known = (): string[] =>
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && STAMP.test(entry.name))
      .map((entry) => entry.name)

  function look(stamp: string): BatchPilot {
    const pid = numberIn(at(stamp, 'pid'))
    const code = numberIn(at(stamp, 'exit'))
    const reference = pid === undefined ? null : `process ${pid}`
    if (code === 0) return { stamp, state: 'Done', reason: '', reference }
    if (code !== undefined)
      return {
        stamp,
        state: 'Failed',
        reason: `The pilot ended with ${code}. ${lastLine(at(stamp, 'out'))}`,
        reference,
      }
    if (pid !== undefined && pid > 0 && isOurs(pid, at(stamp)))
      return { stamp, state: 'Running', reason: '', reference }
    return { stamp, state: 'Failed', reason: 'The process of the pilot is gone.', reference }
  }

  return {
    async submit(stamps, prepare) {
      for (const stamp of stamps) await start(stamp, prepare)
    },
    list: async () => known().map(look),
    // They start at once, none waits.
    renew: async () => undefined,
    async cancel(stamps, graceMs) {
      const alive = () => stamps.filter((stamp) => existsSync(at(stamp)) && look(stamp).state === 'Running')
      const tell = (signal: NodeJS.Signals) => {
        for (const stamp of alive()) killGroup(numberIn(at(stamp, 'pid'))!, signal)
      }
      tell('SIGTERM')
      const until = clock.now().getTime() + graceMs
      while (alive().length > 0 && clock.now().getTime() < until) await clock.sleep(LOOK_MS)
      tell('SIGKILL')
      while (alive().length > 0) await clock.sleep(LOOK_MS)
    },
    async forget(stamps) {
      for (const stamp of stamps) {
        if (existsSync(at(stamp)) && look(stamp).state !== 'Running')
          rmSync(at(stamp), { recursive: true, force: true })
      }
    },
  }
}

function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

function numberIn(file: string): number | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim()
    return text === '' ? undefined : Number(text)
  } catch {
    return undefined
  }
}

function lastLine(file: string): string {
  try {
    return (readFileSync(file, 'utf8').trim().split('\n').at(-1) ?? '').slice(0, 300)
  } catch {
    return ''
  }
}

/** Numbers of processes are used again: only one that was started for this directory is ours. */
function isOurs(pid: number, directory: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return command.split('\0').includes(directory)
  } catch {
    if (existsSync('/proc/self')) return false
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  }
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // It is gone already.
  }
}
