import { type Db, rows, sql, type Tx } from '../../kernel/database.ts'

export type ProbeKind = 'door' | 'job' | 'storage'
export type TestName = 'job' | 'put' | 'get' | 'checksum' | 'list' | 'delete' | 'port' | 'clock'

export interface ProbeKey {
  readonly vo: string
  readonly kind: ProbeKind
  readonly name: string
}
export interface Probe extends ProbeKey {
  readonly site: string
  readonly again: boolean
  readonly jobId: bigint | null
  readonly jobUntil: Date | null
}

/** What there is to test: a new one waits for its first turn, one that is gone is forgotten. */
export async function putProbes(
  tx: Tx,
  probes: readonly (ProbeKey & { site: string; nextAt: Date })[],
): Promise<void> {
  const list = sql`jsonb_to_recordset(${JSON.stringify(probes)}::jsonb)
    as p(vo text, kind text, name text, site text, "nextAt" timestamptz)`
  await sql`insert into probe (vo, kind, name, site, next_at) select vo, kind, name, site, "nextAt" from ${list}
    on conflict (vo, kind, name) do update set site = excluded.site where probe.site <> excluded.site`.execute(
    tx,
  )
  await sql`delete from probe where (vo, kind, name) not in (select vo, kind, name from ${list})`.execute(tx)
}

/** Takes probes that are due; a process that dies over one leaves it to others after `until`. */
export const claimProbes = (tx: Tx, now: Date, until: Date, limit: number): Promise<Probe[]> =>
  rows(
    tx,
    sql<Probe>`update probe set next_at = ${until}
      where (vo, kind, name) in (select vo, kind, name from probe where next_at <= ${now}
        order by next_at limit ${limit} for update skip locked)
      returning vo, kind, name, site, again, job_id as "jobId", job_until as "jobUntil"`,
  )

export const nextProbe = async (db: Db): Promise<Date | null> =>
  (await rows(db, sql<{ at: Date | null }>`select min(next_at) as at from probe`))[0]?.at ?? null

export interface AfterProbe {
  readonly nextAt: Date
  readonly again: boolean
  readonly jobId: bigint | null
  readonly jobUntil: Date | null
}

export const setProbe = (tx: Tx, { vo, kind, name }: ProbeKey, after: AfterProbe) =>
  sql`update probe set next_at = ${after.nextAt}, again = ${after.again}, job_id = ${after.jobId}::bigint,
      job_until = ${after.jobUntil}
    where vo = ${vo} and kind = ${kind} and name = ${name}`.execute(tx)

export interface TestResult {
  readonly test: TestName
  readonly ok: boolean
  readonly ms: number
  readonly message: string
  readonly offsetMs?: number
}

export async function insertTests(
  tx: Tx,
  now: Date,
  of: { vo: string; site: string; kind: 'site' | 'storage'; name: string },
  results: readonly (TestResult & { counts: boolean })[],
): Promise<void> {
  await sql`insert into active_test (vo, site, kind, name, test, at, ok, counts, ms, message, offset_ms)
    select ${of.vo}, ${of.site}, ${of.kind}, ${of.name}, r.test, ${now}, r.ok, r.counts, r.ms, left(r.message, 500), r."offsetMs"
    from jsonb_to_recordset(${JSON.stringify(results)}::jsonb)
      as r(test text, ok boolean, counts boolean, ms int, message text, "offsetMs" float8)`.execute(tx)
}

export interface TestRow extends Omit<TestResult, 'offsetMs'> {
  readonly site: string
  readonly kind: 'site' | 'storage'
  readonly name: string
  readonly at: Date
  readonly counts: boolean
  readonly offsetMs: number | null
}

/** The newest result of each test of each thing. */
export const latestTests = (db: Db, vo: string): Promise<TestRow[]> =>
  rows(
    db,
    sql<TestRow>`with recursive thing as (
        (select kind, name, test from active_test where vo = ${vo} order by kind, name, test limit 1)
        union all
        select n.* from thing cross join lateral (
          select a.kind, a.name, a.test from active_test a
          where a.vo = ${vo} and (a.kind, a.name, a.test) > (thing.kind, thing.name, thing.test)
          order by a.kind, a.name, a.test limit 1) n)
      select t.site, t.kind, t.name, t.test, t.at, t.ok, t.counts, t.ms, t.message, t.offset_ms as "offsetMs"
      from thing cross join lateral (select * from active_test a where a.vo = ${vo} and a.kind = thing.kind
        and a.name = thing.name and a.test = thing.test order by a.at desc limit 1) t
      order by t.site, t.kind, t.name, t.test`,
  )

/** Results at one site, newest first. */
export const testsOfSite = (db: Db, vo: string, site: string, limit: number): Promise<TestRow[]> =>
  rows(
    db,
    sql<TestRow>`select site, kind, name, test, at, ok, counts, ms, message, offset_ms as "offsetMs"
      from active_test where vo = ${vo} and site = ${site} order by at desc, id desc limit ${limit}`,
  )

/** Lets all tests of a site be made at once; how many there are. */
export const hurryProbes = async (db: Db, vo: string, site: string, now: Date): Promise<number> =>
  (
    await rows(
      db,
      sql`update probe set next_at = ${now} where vo = ${vo} and site = ${site} and job_id is null returning 1`,
    )
  ).length
