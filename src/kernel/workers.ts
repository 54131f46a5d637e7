import { setMaxListeners } from 'node:events'
import type { Wakeups } from './events.ts'
import type { Logger } from './log.ts'
import { histogram } from './metrics.ts'
import type { Clock } from './ports.ts'

export interface TickResult {
  /** Rows moved; more than zero means "call me again at once". */
  readonly changed: number
  /** When there will be something to do without a wake-up; null: only when woken. */
  readonly nextWake: Date | null
}

/** A background loop. `tick` is a function of the database and `now`, so a simulation can call it too. */
export interface Worker {
  readonly name: string
  readonly wakeOn: readonly string[]
  tick(now: Date, signal: AbortSignal): Promise<TickResult>
}

export interface RunningWorkers {
  /** When each last came to its end without an error. */
  successes(): ReadonlyMap<string, Date>
  /** Lets running ticks finish, starts no other. */
  stop(): Promise<void>
}

/** A sweep at least this often, should a wake-up ever be lost. */
const SLOWEST_MS = 5_000
const BACKOFF_MS = [200, 500, 1000, 2000, 5000]

const tickSeconds = histogram(
  'grid_worker_tick_seconds',
  'Time of one worker tick',
  [0.001, 0.01, 0.1, 1, 10, 60],
  ['worker'],
)

export function runWorkers(
  workers: readonly Worker[],
  deps: { clock: Clock; log: Logger; wakeups: Wakeups },
): RunningWorkers {
  const stopping = new AbortController()
  // Every sleeping worker listens to it.
  setMaxListeners(0, stopping.signal)
  // Those that begin now have not failed yet.
  const successes = new Map(workers.map(({ name }) => [name, deps.clock.now()]))
  const loops = workers.map((worker) =>
    loop(worker, deps, stopping.signal, () => successes.set(worker.name, deps.clock.now())),
  )
  return {
    successes: () => successes,
    async stop() {
      stopping.abort()
      await Promise.all(loops)
    },
  }
}

async function loop(
  worker: Worker,
  { clock, log, wakeups }: { clock: Clock; log: Logger; wakeups: Wakeups },
  signal: AbortSignal,
  succeeded: () => void,
): Promise<void> {
  let failures = 0
  let woken = false
  let wakeNow: (() => void) | undefined
  const off = wakeups.on(worker.wakeOn, () => {
    woken = true
    wakeNow?.()
  })
  while (!signal.aborted) {
    woken = false
    let wait = SLOWEST_MS
    try {
      const stopTimer = tickSeconds.startTimer({ worker: worker.name })
      const { changed, nextWake } = await worker.tick(clock.now(), signal)
      stopTimer()
      failures = 0
      succeeded()
      if (changed > 0) continue
      if (nextWake) wait = Math.min(wait, Math.max(0, nextWake.getTime() - clock.now().getTime()))
    } catch (error) {
      if (signal.aborted) break
      log.error({ err: error, worker: worker.name }, 'worker tick failed')
      wait = BACKOFF_MS[Math.min(failures++, BACKOFF_MS.length - 1)]!
    }
    if (woken) continue
    const nap = new AbortController()
    wakeNow = () => nap.abort()
    const stop = () => nap.abort()
    signal.addEventListener('abort', stop, { once: true })
    if (!signal.aborted) await clock.sleep(wait, nap.signal)
    signal.removeEventListener('abort', stop)
    wakeNow = undefined
  }
  off()
}
