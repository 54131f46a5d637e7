import { type Db, publish, transaction } from '../kernel/index.ts'
import { filesOnTheirWay, moveFiles } from './file.store.ts'
import { completeRuns } from './run.store.ts'
import { stateOf } from './state.ts'

const PAGE = 2000

/** Runs that have all their files now, by the data acquisition's own count. */
export async function completeCountedRuns(db: Db, now: Date): Promise<number> {
  return transaction(db, async (tx) => {
    const complete = await completeRuns(tx, now)
    await publish(
      tx,
      now,
      complete.map(({ vo, experiment, run, files }) => ({
        ...{ vo, kind: 'raw.complete', subject: `${experiment}/${run}`, payload: { files } },
      })),
    )
    return complete.length
  })
}

/**
 * Brings the states of registered files up to what copies there are, forwards and, where a copy rotted, backwards. Of
 * one run or of all. Returns how many moved.
 */
export async function followCopies(db: Db, now: Date, runId: bigint | null = null): Promise<number> {
  let moved = 0
  for (let after = -1n; ; ) {
    const page = await filesOnTheirWay(db, { runId, after, limit: PAGE })
    const moves = page.flatMap(({ id, state, runComplete, ...copies }) => {
      const to = stateOf(copies, runComplete)
      return to === state ? [] : [{ id, from: state, to }]
    })
    if (moves.length > 0) moved += await transaction(db, (tx) => moveFiles(tx, now, moves))
    if (page.length < PAGE) return moved
    after = page.at(-1)!.id
  }
}
