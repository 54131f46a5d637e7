import { type Db, rows, sql } from '../kernel/database.ts'

export interface RuleRow {
  readonly id: string
  readonly scope: string
  readonly name: string
  readonly kind: string
  readonly account: string
  readonly expression: string
  readonly copies: number
  readonly grouping: string
  readonly state: string
  readonly error: string | null
  readonly activity: string
  readonly comments: string | null
  readonly created_at: Date
  readonly updated_at: Date
  readonly expires_at: Date | null
  readonly stuck_at: Date | null
  readonly files: bigint
  readonly bytes: bigint
  readonly missing: bigint
  readonly moving: bigint
  readonly failed: bigint
  readonly gap_bytes: bigint
  readonly gap_error: unknown
}

export interface RuleFilter {
  readonly state?: string | undefined
  readonly account?: string | undefined
  readonly id?: string | undefined
  readonly limit: number
}

/** Rules with their progress, stuck first, then those at work, then the newest. */
export async function readRules(db: Db, vo: string, filter: RuleFilter): Promise<RuleRow[]> {
  const { state, account, id, limit } = filter
  return rows(
    db,
    sql<RuleRow>`
      with chosen as (
        select r.* from rule r
        where r.vo = ${vo}
          ${state === undefined ? sql`` : sql`and r.state = ${state}`}
          ${id === undefined ? sql`` : sql`and r.id = ${id}::uuid`}
          ${account === undefined ? sql`` : sql`and r.account_id in (select id from account where vo = ${vo} and name = ${account})`}
        order by array_position(array['STUCK', 'REPLICATING', 'INJECT', 'SUSPENDED', 'OK'], r.state), r.created_at desc
        limit ${limit})
      select r.id, s.name as scope, coalesce(f.name, c.name) as name, r.target_kind::text as kind, a.name as account,
        r.rse_expression as expression, r.copies, r.grouping::text as grouping, r.state, r.error, r.activity, r.comments,
        r.created_at, r.updated_at, r.expires_at, r.stuck_at,
        (held.files + single.files)::bigint as files, (held.bytes + single.bytes)::bigint as bytes,
        gap.missing, gap.moving, gap.failed, gap.bytes as gap_bytes, gap.error as gap_error
      from chosen r
      join account a on a.id = r.account_id
      left join file f on r.target_kind = 'F' and f.id = r.target_id
      left join collection c on r.target_kind <> 'F' and c.id = r.target_id
      join scope s on s.id = coalesce(f.scope_id, c.scope_id)
      cross join lateral (
        select coalesce(sum(pc.n_files + coalesce(d.files, 0)), 0) as files, coalesce(sum(pc.bytes + coalesce(d.bytes, 0)), 0) as bytes
        from placement p join collection pc on pc.id = p.collection_id
        left join lateral (
          select sum(d_files) as files, sum(d_bytes) as bytes from counter_delta
          where kind = 'collection' and key1 = p.collection_id) d on true
        where p.rule_id = r.id) held
      cross join lateral (
        select count(*) as files, coalesce(sum(pf.bytes), 0) as bytes
        from file_placement p join file pf on pf.id = p.file_id where p.rule_id = r.id) single
      cross join lateral (
        select count(*) filter (where g.state = 'missing') as missing, count(*) filter (where g.state = 'moving') as moving,
          count(*) filter (where g.state = 'failed') as failed, coalesce(sum(gf.bytes), 0)::bigint as bytes,
          (array_agg(g.last_error) filter (where g.last_error is not null))[1] as error
        from placement_gap g join file gf on gf.id = g.file_id where g.rule_id = r.id) gap
      order by array_position(array['STUCK', 'REPLICATING', 'INJECT', 'SUSPENDED', 'OK'], r.state), r.created_at desc`,
  )
}

export interface PlacementRow {
  readonly scope: string
  readonly name: string
  readonly storage: string
  readonly files: bigint
  readonly missing: bigint
}

export async function readPlacements(db: Db, ruleId: string, limit: number): Promise<PlacementRow[]> {
  return rows(
    db,
    sql<PlacementRow>`
      select s.name as scope, c.name, r.name as storage,
        (c.n_files + coalesce((select sum(d_files) from counter_delta where kind = 'collection' and key1 = c.id), 0))::bigint as files,
        (select count(*) from placement_gap g join content t on t.child_id = g.file_id and t.parent_id = p.collection_id
         where g.rule_id = p.rule_id and g.rse_id = p.rse_id) as missing
      from placement p join collection c on c.id = p.collection_id join scope s on s.id = c.scope_id
      join rse r on r.id = p.rse_id
      where p.rule_id = ${ruleId}::uuid order by 5 desc, 1, 2, 3 limit ${limit}`,
  )
}

export interface GapRow {
  readonly scope: string
  readonly name: string
  readonly bytes: bigint
  readonly storage: string
  readonly state: string
  readonly attempts: number
  readonly last_error: unknown
  readonly next_try: Date
  readonly created_at: Date
  readonly transfer: string | null
}

export async function readGaps(db: Db, ruleId: string, limit: number): Promise<GapRow[]> {
  return rows(
    db,
    sql<GapRow>`
      select s.name as scope, f.name, f.bytes, r.name as storage, g.state, g.attempts, g.last_error, g.next_try,
        g.created_at, t.id as transfer
      from placement_gap g join file f on f.id = g.file_id join scope s on s.id = f.scope_id join rse r on r.id = g.rse_id
      left join transfer t on t.file_id = g.file_id and t.dst_rse_id = g.rse_id
      where g.rule_id = ${ruleId}::uuid
      order by array_position(array['failed', 'moving', 'missing'], g.state), g.attempts desc, f.name limit ${limit}`,
  )
}
