import { type Db, row, rows, sql } from '../kernel/database.ts'
import { storageSite } from './sites.store.ts'

export interface LinkRow {
  readonly source: string
  readonly destination: string
  readonly source_site: string | null
  readonly destination_site: string | null
  readonly active: bigint
  readonly done: bigint
  readonly failed: bigint
  readonly bytes: bigint
  readonly rate: number | null
  readonly max_active: number | null
  readonly rationale: string | null
  readonly blocked_until: Date | null
  readonly blocked_reason: string | null
  readonly last_error: unknown
}

/** Every link that was used since `since` or about which something is known. */
export async function readLinks(db: Db, now: Date, vo: string, since: Date): Promise<LinkRow[]> {
  return rows(
    db,
    sql<LinkRow>`
      with home as (${storageSite}),
      live as (
        select src_rse_id, dst_rse_id, count(*) as active,
          (array_agg(last_error order by started_at desc) filter (where last_error is not null))[1] as last_error
        from transfer where vo = ${vo} and src_rse_id is not null and state <> 'queued' group by 1, 2),
      past as (
        select src_rse_id, dst_rse_id,
          count(*) filter (where outcome in ('done', 'adopted')) as done,
          count(*) filter (where outcome = 'failed') as failed,
          coalesce(sum(bytes) filter (where outcome = 'done'), 0)::bigint as bytes,
          (array_agg(error order by finished_at desc) filter (where error is not null and outcome = 'failed'))[1] as last_error
        from transfer_log
        where vo = ${vo} and src_rse_id is not null and finished_at > ${since} group by 1, 2),
      retried as (
        select src_rse_id, dst_rse_id, count(*) as failed, (array_agg(last_error))[1] as last_error
        from transfer
        where vo = ${vo} and src_rse_id is not null and last_error is not null and state = 'queued' group by 1, 2),
      pair as (
        select src_rse_id, dst_rse_id from live union select src_rse_id, dst_rse_id from past
        union select src_rse_id, dst_rse_id from retried union select src_rse_id, dst_rse_id from link)
      select s.rse as source, d.rse as destination, s.site as source_site, d.site as destination_site,
        coalesce(live.active, 0) as active, coalesce(past.done, 0) as done,
        coalesce(past.failed, 0) + coalesce(retried.failed, 0) as failed, coalesce(past.bytes, 0)::bigint as bytes,
        link.rate_bytes_per_s as rate, link.max_active, link.rationale, fault.blocked_until, fault.reason as blocked_reason,
        coalesce(retried.last_error, past.last_error, live.last_error) as last_error
      from pair
      join home s on s.rse_id = pair.src_rse_id and s.vo = ${vo}
      join home d on d.rse_id = pair.dst_rse_id and d.vo = ${vo}
      left join live using (src_rse_id, dst_rse_id)
      left join past using (src_rse_id, dst_rse_id)
      left join retried using (src_rse_id, dst_rse_id)
      left join link using (src_rse_id, dst_rse_id)
      left join lateral (select f.blocked_until, (case f.side when 'source' then s.rse else d.rse end) || ': ' || f.reason as reason
        from storage_fault f where (f.rse_id, f.side) in ((pair.src_rse_id, 'source'), (pair.dst_rse_id, 'destination'))
          and f.blocked_until > ${now}
        order by f.blocked_until desc limit 1) fault on true
      order by s.rse, d.rse`,
  )
}

export interface TransferRow {
  readonly id: string
  readonly scope: string
  readonly name: string
  readonly source: string | null
  readonly destination: string
  readonly bytes: bigint
  readonly bytes_done: bigint
  readonly state: string
  readonly attempts: number
  readonly error: unknown
  readonly activity: string
  readonly created_at: Date
  readonly started_at: Date | null
  readonly finished_at: Date | null
  readonly not_before: Date | null
  readonly deadline: Date | null
}

const LIVE = sql`
  select t.id, t.vo, t.file_id, t.src_rse_id, t.dst_rse_id, t.bytes, t.bytes_done,
    case when t.state = 'queued' and t.last_error is not null then 'retrying' else t.state end as state,
    t.attempt as attempts, t.last_error as error, t.activity, t.created_at, t.started_at,
    null::timestamptz as finished_at, t.not_before, t.deadline
  from transfer t`
const PAST = sql`
  select l.id, l.vo, l.file_id, l.src_rse_id, l.dst_rse_id, l.bytes,
    case when l.outcome in ('done', 'adopted') then l.bytes else 0 end as bytes_done,
    l.outcome as state, l.attempts, l.error, l.activity, l.created_at, l.started_at, l.finished_at,
    null::timestamptz as not_before, null::timestamptz as deadline
  from transfer_log l`
const NAMED = sql`
  select x.id, sc.name as scope, f.name, src.name as source, dst.name as destination, x.bytes, x.bytes_done, x.state,
    x.attempts, x.error, x.activity, x.created_at, x.started_at, x.finished_at, x.not_before, x.deadline`
const NAMES = sql`
  join file f on f.id = x.file_id join scope sc on sc.id = f.scope_id
  join rse dst on dst.id = x.dst_rse_id left join rse src on src.id = x.src_rse_id`

export interface TransferFilter {
  readonly list: 'active' | 'queued' | 'failed' | 'done'
  readonly source?: string | undefined
  readonly destination?: string | undefined
  readonly limit: number
}

export async function readTransfers(db: Db, vo: string, filter: TransferFilter): Promise<TransferRow[]> {
  const { list, limit } = filter
  const on = sql`
    ${filter.source === undefined ? sql`` : sql`and x.src_rse_id in (select id from rse where vo = ${vo} and name = ${filter.source})`}
    ${filter.destination === undefined ? sql`` : sql`and x.dst_rse_id in (select id from rse where vo = ${vo} and name = ${filter.destination})`}`
  const live = (state: ReturnType<typeof sql>) => sql`
    (${LIVE} where t.vo = ${vo} and ${state} order by t.started_at desc nulls last, t.created_at limit ${limit * 4})`
  const past = (outcome: ReturnType<typeof sql>) => sql`
    (${PAST} where l.vo = ${vo} and ${outcome} order by l.finished_at desc limit ${limit * 4})`
  const from = {
    active: sql`(${live(sql`t.state in ('active', 'verifying')`)})`,
    queued: sql`(${live(sql`t.state = 'queued'`)})`,
    failed: sql`(${live(sql`t.state = 'queued' and t.last_error is not null`)} union all ${past(sql`l.outcome in ('failed', 'canceled')`)})`,
    done: sql`(${past(sql`l.outcome in ('done', 'adopted')`)})`,
  }[list]
  return rows(
    db,
    sql<TransferRow>`${NAMED} from ${from} x ${NAMES} where true ${on}
      order by x.finished_at desc nulls first, x.started_at desc nulls last, x.created_at limit ${limit}`,
  )
}

export async function readTransfer(db: Db, vo: string, id: string): Promise<TransferRow | undefined> {
  return row(
    db,
    sql<TransferRow>`${NAMED} from (
      ${LIVE} where t.vo = ${vo} and t.id = ${id}::uuid
      union all (${PAST} where l.vo = ${vo} and l.id = ${id}::uuid order by l.finished_at desc limit 1)) x ${NAMES} limit 1`,
  )
}

export interface CandidateRow {
  readonly storage: string
  readonly state: string
  readonly can_read: boolean
}

/** The copies from which a transfer could be made. */
export async function readSources(db: Db, vo: string, scope: string, name: string): Promise<CandidateRow[]> {
  return rows(
    db,
    sql<CandidateRow>`
      select r.name as storage, p.state::text as state, r.can_read
      from scope s join file f on f.scope_id = s.id join replica p on p.file_id = f.id join rse r on r.id = p.rse_id
      where s.vo = ${vo} and s.name = ${scope} and f.name = ${name} order by r.name`,
  )
}

/** Where storages are; those that belong to no site are left out. */
export async function sitesOfStorages(
  db: Db,
  vo: string,
  storages: readonly string[],
): Promise<Map<string, string>> {
  const found = await rows(
    db,
    sql<{ rse: string; site: string }>`with home as (${storageSite})
      select rse, site from home where vo = ${vo} and rse = any(${storages}::text[]) and site is not null`,
  )
  return new Map(found.map(({ rse, site }) => [rse, site]))
}
