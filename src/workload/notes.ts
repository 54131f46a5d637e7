import { type Db, transaction } from '../kernel/index.ts'
import { takeCommands } from './end.store.ts'
import { invalidJob } from './errors.ts'
import { moveJobs } from './move.store.ts'
import * as store from './notes.store.ts'
import { STATES } from './states.ts'
import type { Held } from './types.ts'

export { type JobChange, parametersOf } from './notes.store.ts'

/** Adds a note to the history of jobs. One that is older than the last change is history only. */
export async function noteJobs(
  db: Db,
  now: Date,
  notes: readonly (store.Note & { readonly lastChange: Date })[],
): Promise<void> {
  await transaction(db, async (tx) => {
    for (const current of [true, false]) {
      const chosen = notes.filter(({ at, lastChange }) => at >= lastChange === current)
      await store.noteJobs(tx, now, chosen, { current })
    }
  })
}

/**
 * What a job's own wrapper tells of it: figures of the present start, and that it is alive. Answers the commands that
 * were not handed out before, addressed to the start they were meant for.
 */
export async function hearJobs(
  db: Db,
  now: Date,
  told: readonly { readonly id: bigint; readonly figures: Readonly<Record<string, number | string>> }[],
): Promise<(Held & { readonly command: string })[]> {
  return transaction(db, async (tx) => {
    const heard = await store.noteFigures(tx, now, told)
    await moveJobs(tx, {
      ...{ now, from: [STATES.Matched, STATES.Stalled], source: 'Heartbeat' },
      moves: heard.map(({ jobId, attempt }) => ({
        ...{ id: jobId, attempt, to: STATES.Running, minor: 'Application' },
      })),
    })
    return takeCommands(
      tx,
      now,
      told.map(({ id }) => id),
    )
  })
}

const MOST_PARAMETERS = 100

/** Throws invalid_job. */
export async function changeJobs(db: Db, now: Date, changes: readonly store.JobChange[]): Promise<void> {
  for (const { name, priority, parameters } of changes) {
    if (name !== null && !/^[^\p{Cc}]{1,255}$/u.test(name))
      throw invalidJob('The name of a job has 1 to 255 characters.')
    if (priority !== null && !(Number.isInteger(priority) && priority >= 0 && priority <= 10))
      throw invalidJob('The priority is a whole number between 0 and 10.')
    const entries = Object.entries(parameters)
    if (
      entries.length > MOST_PARAMETERS ||
      entries.some(([key, value]) => key.length > 64 || value.length > 4096)
    )
      throw invalidJob('A job keeps at most 100 parameters of 4096 characters, with names of 64.')
  }
  await transaction(db, (tx) => store.changeJobs(tx, now, changes))
}
