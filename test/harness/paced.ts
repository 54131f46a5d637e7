import { setTimeout as delay } from 'node:timers/promises'
import { type Db, row, sql } from '../../src/kernel/index.ts'

/** Between two looks whether a process waits for a lock; most steps are over before the first. */
const POLL_MS = 4

/** What a killed process does: nothing more. */
class Crash extends Error {}

/**
 * A process that stops before every SQL statement and every effect on the outside world until it is told to go on, and
 * that may be killed before one of them: the transaction it is in is rolled back, and it says nothing more.
 */
export interface PacedProcess {
  readonly finished: boolean
  /** Steps taken so far. */
  readonly steps: number
  /** Goes on for some steps, or until it ends or waits for a lock that somebody else holds. */
  advance(steps: number): Promise<void>
  /** Rejects with what the process failed of; being killed is no failure. */
  readonly done: Promise<void>
}

export interface Pace {
  readonly db: Db
  /** An effect outside the database, as one step. */
  step<T>(effect: () => Promise<T>): Promise<T>
}

export function pacedProcess(
  db: Db,
  work: (pace: Pace) => Promise<void>,
  options: { killedAt?: number } = {},
): PacedProcess {
  const killedAt = options.killedAt ?? Infinity
  let [steps, left, finished] = [0, 0, false]
  // Several, where the process does things side by side.
  const held: (() => void)[] = []
  let arrived = (): void => undefined

  const begin = (): void => {
    if (++steps >= killedAt) throw new Crash()
  }
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      held.push(resolve)
      arrived()
    })
  const end = async (): Promise<void> => {
    if (--left <= 0) await pause()
  }
  const paced = db.withPlugin({
    transformQuery({ node }) {
      begin()
      return node
    },
    async transformResult({ result }) {
      await end()
      return result
    },
  })
  const pace: Pace = {
    db: paced,
    async step(effect) {
      begin()
      const result = await effect()
      await end()
      return result
    },
  }
  const done = pause()
    .then(() => work(pace))
    .catch((error) => {
      if (!(error instanceof Crash)) throw error
    })
    .finally(() => {
      finished = true
      arrived()
    })
  done.catch(() => undefined)

  return {
    done,
    get finished() {
      return finished
    },
    get steps() {
      return steps
    },
    async advance(count) {
      if (finished) return
      left = count
      let here = false
      const there = new Promise<'arrived'>((resolve) => {
        arrived = () => {
          here = true
          resolve('arrived')
        }
      })
      for (const go of held.splice(0)) go()
      for (;;) {
        const state = await Promise.race([there, lockWait(db, () => here)])
        if (state === 'arrived') return
        // It goes on by itself when the lock is free, but no further than this statement.
        if (state === 'waits') {
          left = 1
          return
        }
      }
    },
  }
}

async function lockWait(db: Db, arrived: () => boolean): Promise<'waits' | 'runs'> {
  await delay(POLL_MS)
  if (arrived()) return 'runs'
  const waiting = await row(
    db,
    sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' limit 1`,
  )
  return waiting ? 'waits' : 'runs'
}
