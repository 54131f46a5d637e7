import { affected, type Db, row, rows, sql, type Tx } from '../../kernel/database.ts'
import { endedStarts, endsBetween } from './attempts.store.ts'

export interface TransferEnds {
  readonly vo: string
  readonly srcRseId: number
  readonly dstRseId: number
  readonly activity: string
  readonly n: number
  readonly failed: number
  readonly failedSource: number
  readonly failedDestination: number
  readonly bytes: string
  readonly error: string | null
}

export async function insertTransferEnds(tx: Db, now: Date, ends: readonly TransferEnds[]): Promise<void> {
  if (ends.length === 0) return
  await sql`insert into transfer_end (at, vo, src_rse_id, dst_rse_id, activity, n, failed, failed_source,
      failed_destination, bytes, error)
    select ${now}, e.vo, e."srcRseId", e."dstRseId", e.activity, e.n, e.failed, e."failedSource", e."failedDestination",
      e.bytes, left(e.error, 500)
    from jsonb_to_recordset(${JSON.stringify(ends)}::jsonb) as e(vo text, "srcRseId" int, "dstRseId" int, activity text,
      n int, failed int, "failedSource" int, "failedDestination" int, bytes bigint, error text)`.execute(tx)
}

/** One server counts at a time; any constant that nobody else uses. */
const ROLLUP_LOCK = 0x62696e73

export async function takeTurn(tx: Tx): Promise<boolean> {
  const turn = await row(tx, sql<{ mine: boolean }>`select pg_try_advisory_xact_lock(${ROLLUP_LOCK}) as mine`)
  return turn?.mine ?? false
}

export const markOf = async (db: Db, name: string): Promise<Date | undefined> =>
  (await row(db, sql<{ at: Date }>`select at from operation_mark where name = ${name}`))?.at

export const setMark = (tx: Db, name: string, at: Date) =>
  sql`insert into operation_mark (name, at) values (${name}, ${at})
    on conflict (name) do update set at = excluded.at`.execute(tx)

const bin = (at: ReturnType<typeof sql>) =>
  sql`date_bin('10 minutes', ${at}, timestamptz '2000-01-01 00:00:00+00')`
const PUT = sql`on conflict (start, vo, measure, kind, name)
  do update set n = excluded.n, failed = excluded.failed, seconds = excluded.seconds
  where (activity_bin.n, activity_bin.failed, activity_bin.seconds) is distinct from (excluded.n, excluded.failed, excluded.seconds)`

export const countJobs = (tx: Db, from: Date, to: Date): Promise<number> =>
  affected(
    tx,
    sql`insert into activity_bin (start, vo, measure, kind, name, n, failed, seconds)
      select ${bin(sql`e.ended_at`)}, e.vo, 'jobs', what.kind, what.name, count(*)::int,
        (count(*) filter (where e.failed))::int, sum(e.seconds)
      from (${endedStarts(from, to)}) e cross join lateral (values ('site', e.site), ('resource', e.resource),
        ('user', e.owner), ('production', e.production), ('transformation', nullif(e.production || '/' || e.step, '/')),
        ('release', e.release)) as what(kind, name)
      where what.name <> '' group by 1, 2, 3, 4, 5 ${PUT}`,
  )

/** What became of starts at sites: those that the site spoilt or lost, and those that say nothing of it. */
export const countEnds = (tx: Db, from: Date, to: Date): Promise<number> =>
  affected(
    tx,
    sql`insert into activity_bin (start, vo, measure, kind, name, n, failed, spoilt, other)
      select ${bin(sql`a.ended_at`)}, p.vo, 'jobs', 'site', a.site, 0, 0,
        (count(*) filter (where a.outcome in ('site_fault', 'lost')))::int,
        (count(*) filter (where a.outcome in ('killed', 'returned')))::int
      from (${endsBetween(from, to)}) a join pilot p on p.id = a.pilot_id
      where a.outcome in ('site_fault', 'lost', 'killed', 'returned') group by 1, 2, 5
      on conflict (start, vo, measure, kind, name) do update set spoilt = excluded.spoilt, other = excluded.other
      where (activity_bin.spoilt, activity_bin.other) is distinct from (excluded.spoilt, excluded.other)`,
  )

/** Pilots as they ended: failed are those that came to nothing before they reported. */
export const countPilots = (tx: Db, from: Date, to: Date): Promise<number> =>
  affected(
    tx,
    sql`insert into activity_bin (start, vo, measure, kind, name, n, failed)
      select ${bin(sql`p.ended_at`)}, p.vo, 'pilots', what.kind, what.name, count(*)::int,
        (count(*) filter (where p.state in ('Failed', 'Aborted') and p.jobs = 0))::int
      from pilot p cross join lateral (values ('site', p.site), ('resource', p.resource)) as what(kind, name)
      where p.ended_at >= ${from} and p.ended_at < ${to} group by 1, 2, 3, 4, 5 ${PUT}`,
  )

/** Attempts of transfers. A storage is blamed for what failed on its side only, a link for all. */
export const countTransfers = (tx: Db, from: Date, to: Date): Promise<number> =>
  affected(
    tx,
    sql`insert into activity_bin (start, vo, measure, kind, name, n, failed)
      select ${bin(sql`t.at`)}, t.vo, 'transfers', what.kind, what.name, sum(t.n)::int, sum(what.failed)::int
      from transfer_end t join rse s on s.id = t.src_rse_id join rse d on d.id = t.dst_rse_id
      cross join lateral (values ('storage', s.name, t.failed_source), ('storage', d.name, t.failed_destination),
        ('link', s.name || ' → ' || d.name, t.failed), ('activity', t.activity, t.failed)) as what(kind, name, failed)
      where t.at >= ${from} and t.at < ${to} group by 1, 2, 3, 4, 5 ${PUT}`,
  )

/** Active tests; a failure that is tried again counts only when it fails again. */
export const countTests = (tx: Db, from: Date, to: Date): Promise<number> =>
  affected(
    tx,
    sql`insert into activity_bin (start, vo, measure, kind, name, n, failed)
      select ${bin(sql`t.at`)}, t.vo, 'tests', t.kind, t.name, count(*)::int, (count(*) filter (where not t.ok))::int
      from active_test t where t.at >= ${from} and t.at < ${to} and t.counts
      group by 1, 2, 3, 4, 5 ${PUT}`,
  )

export const countFacts = (tx: Db, from: Date, to: Date): Promise<number> =>
  affected(
    tx,
    sql`insert into job_fact (vo, hour, site, resource, output_storage, production, step, owner, release, n, failed,
        wall_seconds)
      select vo, date_trunc('hour', ended_at, 'UTC'), site, resource, output_storage, production, step, owner, release,
        count(*)::int, (count(*) filter (where failed))::int, sum(seconds)
      from (${endedStarts(from, to)}) e group by 1, 2, 3, 4, 5, 6, 7, 8, 9
      on conflict (hour, vo, site, resource, output_storage, production, step, owner, release)
      do update set n = excluded.n, failed = excluded.failed, wall_seconds = excluded.wall_seconds
      where (job_fact.n, job_fact.failed, job_fact.wall_seconds)
        is distinct from (excluded.n, excluded.failed, excluded.wall_seconds)`,
  )

/** Forgets what is older than people ask for. */
export async function forgetOld(tx: Db, before: { bins: Date; facts: Date; ends: Date; tests: Date }) {
  await sql`delete from activity_bin where start < ${before.bins}`.execute(tx)
  await sql`delete from job_fact where hour < ${before.facts}`.execute(tx)
  await sql`delete from transfer_end where at < ${before.ends}`.execute(tx)
  await sql`delete from active_test where at < ${before.tests}`.execute(tx)
}

export interface BinRow {
  readonly start: Date
  readonly measure: 'jobs' | 'pilots' | 'transfers' | 'tests'
  readonly kind: string
  readonly name: string
  readonly n: number
  readonly failed: number
}

export const binsBetween = (db: Db, vo: string, from: Date, to: Date): Promise<BinRow[]> =>
  rows(
    db,
    sql<BinRow>`select start, measure, kind, name, n, failed from activity_bin
      where start >= ${from} and start < ${to} and vo = ${vo} and n > 0 order by start, measure, kind, name`,
  )

/** What was counted of one thing since a time. */
export const binsOf = (
  db: Db,
  { vo, kind, name, from }: { vo: string; kind: string; name: string; from: Date },
): Promise<BinRow[]> =>
  rows(
    db,
    sql<BinRow>`select start, measure, kind, name, n, failed from activity_bin
      where vo = ${vo} and kind = ${kind} and name = ${name} and start >= ${from} and n > 0 order by measure, start`,
  )
