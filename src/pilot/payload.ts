import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../kernel/ports.ts'
import { treeUse } from './processes.ts'

export interface PayloadLimits {
  readonly seconds: number
  readonly memoryMb: number
  readonly diskMb: number
}

export interface PayloadUse {
  readonly memoryBytes: number
  readonly cpuSeconds: number
  readonly wallSeconds: number
  readonly diskBytes: number
}

export interface PayloadEnd {
  readonly exitCode: number | null
  readonly signal: string | null
  /** The limit that it broke, in the words of the field. */
  readonly broke: string | null
  readonly use: PayloadUse
}

export interface RunningPayload {
  use(): PayloadUse
  /** Ends it and everything it started. */
  stop(): void
  readonly ended: Promise<PayloadEnd>
}

const LOOK_MS = 500
const DISK_EVERY = 10

/** Runs a command with its output in files, and ends it when it takes more than it may. */
export function startPayload(
  order: {
    readonly command: readonly string[]
    readonly directory: string
    readonly environment: Readonly<Record<string, string>>
    readonly outFile: string
    readonly errFile: string
    readonly limits: PayloadLimits
  },
  clock: Clock,
): RunningPayload {
  const { command, directory, environment, limits } = order
  const [out, err] = [openSync(order.outFile, 'a', 0o600), openSync(order.errFile, 'a', 0o600)]
  const began = clock.now().getTime()
  // A group of its own, so that all of it can be ended at once.
  const child = spawn(command[0]!, command.slice(1), {
    ...{ cwd: directory, env: environment, detached: true },
    stdio: ['ignore', out, err],
  })
  closeSync(out)
  closeSync(err)
  let use: PayloadUse = { memoryBytes: 0, cpuSeconds: 0, wallSeconds: 0, diskBytes: 0 }
  let broke: string | null = null
  const over = new AbortController()

  const stop = (): void => {
    if (child.pid === undefined) return
    for (const pid of [...treeUse(child.pid).pids].reverse()) kill(pid)
    kill(-child.pid)
  }
  const watch = async (): Promise<void> => {
    for (let looks = 0; !over.signal.aborted; looks++) {
      const { memoryBytes, cpuSeconds } = child.pid ? treeUse(child.pid) : { memoryBytes: 0, cpuSeconds: 0 }
      const diskBytes = looks % DISK_EVERY === 0 ? await bytesBelow(directory) : use.diskBytes
      use = {
        memoryBytes: Math.max(use.memoryBytes, memoryBytes),
        // Of processes that ended nobody tells any more.
        cpuSeconds: Math.max(use.cpuSeconds, cpuSeconds),
        wallSeconds: (clock.now().getTime() - began) / 1000,
        diskBytes: Math.max(use.diskBytes, diskBytes),
      }
      broke ??= brokenLimit({ ...use, memoryBytes, diskBytes }, limits)
      if (broke) stop()
      await clock.sleep(LOOK_MS, over.signal)
    }
  }
  const watching = watch()
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>
  const ended = exit
    .catch(() => [127, null] as const)
    .then(async ([exitCode, signal]): Promise<PayloadEnd> => {
      // What it left running must not outlive it.
      stop()
      over.abort()
      await watching
      const wallSeconds = (clock.now().getTime() - began) / 1000
      return { exitCode, signal, broke, use: { ...use, wallSeconds } }
    })
  return { use: () => use, stop, ended }
}

function brokenLimit(use: PayloadUse, limits: PayloadLimits): string | null {
  if (use.wallSeconds > limits.seconds) return 'Job has exceeded maximum wall clock time'
  if (use.memoryBytes > limits.memoryMb * 2 ** 20) return 'Job has exceeded its memory'
  if (use.diskBytes > limits.diskMb * 2 ** 20) return 'Job has insufficient disk space to continue'
  return null
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

/** Bytes of all files below a directory; links are not followed. */
export async function bytesBelow(directory: string): Promise<number> {
  let total = 0
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) total += await bytesBelow(path)
    else total += (await lstat(path).catch(() => ({ size: 0 }))).size
  }
  return total
}
