import { type Db, row, rows, sql, transaction } from '../../../src/kernel/index.ts'
import { manyJobs } from './jobs.ts'
import { manyOperations } from './operations.ts'
import { manyProductions } from './productions.ts'
import { manyRawFiles } from './raw.ts'
import { manySites } from './sites.ts'

export { sitesReport } from './sites.ts'

/**
 * Fills the database of a grid that runs with so many jobs and all that they leave behind. Its own workers then count
 * them, and find out what is wrong: what they say is real.
 */
export async function fillGrid(db: Db, now: Date, jobs: number, say: (text: string) => void): Promise<void> {
  await transaction(db, async (tx) => {
    say('sites')
    await manySites(tx, now)
    say(`${jobs} jobs`)
    await manyJobs(tx, now, jobs)
    say('productions')
    await manyProductions(tx, now)
    say('cards, shifts, raw data')
    await manyOperations(tx, now)
    await manyRawFiles(tx, now)
  })
  // Statistics begin two days ago.
  await sql`insert into operation_mark (name, at) select name, ${now}::timestamptz - interval '49 h'
      from unnest('{bins,facts,bins counted,facts counted}'::text[]) name
    on conflict (name) do update set at = excluded.at`.execute(db)
  say('analyze')
  await sql`vacuum analyze`.execute(db)
}

/** Whether the statistics of all that is over have been counted. */
export const isCounted = async (db: Db, now: Date): Promise<boolean> => {
  const marks = await rows(db, sql<{ at: Date }>`select at from operation_mark where name like '% counted'`)
  return marks.length === 2 && marks.every(({ at }) => now.getTime() - at.getTime() < 1_200_000)
}

export const jobCount = async (db: Db): Promise<number> =>
  Number((await row(db, sql<{ n: bigint }>`select coalesce(max(id), 0) as n from job`))!.n)
