import { affected, type Db, rows, sql, type Tx } from '../kernel/index.ts'
import type { BadReplica, ReplicaKey } from './types.ts'

export interface SuspiciousSummary extends ReplicaKey {
  readonly scope: string
  readonly name: string
  readonly count: number
  readonly since: Date
}

const keyTable = (keys: readonly ReplicaKey[]) =>
  sql`unnest(${keys.map((k) => k.fileId)}::bigint[], ${keys.map((k) => k.rseId)}::int[]) as k(file_id, rse_id)`

/** A copy is declared BAD once until that is resolved; suspicions are counted, so each is a row. */
export const insertDeclarations = (
  tx: Tx,
  input: {
    now: Date
    accountId: number | null
    state: string
    reason: string
    replicas: readonly ReplicaKey[]
  },
) =>
  affected(
    tx,
    sql`insert into bad_replica (file_id, rse_id, state, reason, account_id, at)
      select k.file_id, k.rse_id, ${input.state}::text, ${input.reason}::text, ${input.accountId}::int, ${input.now}::timestamptz
      from (select distinct * from ${keyTable(input.replicas)}) k
      where ${input.state}::text <> 'BAD' or not exists (select from bad_replica b
        where b.file_id = k.file_id and b.rse_id = k.rse_id and b.state = 'BAD' and b.resolved_at is null)`,
  )

export const updateResolved = (
  tx: Tx,
  input: { now: Date; replicas: readonly ReplicaKey[]; outcome: string },
) =>
  affected(
    tx,
    sql`update bad_replica b set state = ${input.outcome}::text, resolved_at = ${input.now}
      from ${keyTable(input.replicas)}
      where b.file_id = k.file_id and b.rse_id = k.rse_id and b.resolved_at is null`,
  )

export const selectBad = (
  db: Db,
  input: {
    vo: string
    rseIds?: readonly number[]
    states?: readonly string[]
    since?: Date
    openOnly?: boolean
    limit?: number
  },
) =>
  rows(
    db,
    sql<BadReplica>`
      select b.id, s.name as scope, f.name, b.file_id as "fileId", b.rse_id as "rseId", b.state, b.reason,
        b.account_id as "accountId", b.at, b.resolved_at as "resolvedAt"
      from bad_replica b join file f on f.id = b.file_id join scope s on s.id = f.scope_id
      where s.vo = ${input.vo}
        ${input.rseIds ? sql`and b.rse_id = any(${input.rseIds}::int[])` : sql``}
        ${input.states ? sql`and b.state = any(${input.states}::text[])` : sql``}
        ${input.since ? sql`and b.at >= ${input.since}` : sql``}
        ${input.openOnly ? sql`and b.resolved_at is null` : sql``}
      order by b.at desc, b.id desc ${input.limit === undefined ? sql`` : sql`limit ${input.limit}`}`,
  )

/** Open suspicions of copies that are still there and not known to be bad. */
export const selectSuspicious = (
  db: Db,
  input: { vo: string; rseIds?: readonly number[]; since?: Date; atLeast: number },
) =>
  rows(
    db,
    sql<SuspiciousSummary>`
      select b.file_id as "fileId", b.rse_id as "rseId", s.name as scope, f.name, count(*)::int as count,
        min(b.at) as since
      from bad_replica b join file f on f.id = b.file_id join scope s on s.id = f.scope_id
      join replica r on r.file_id = b.file_id and r.rse_id = b.rse_id and r.state not in ('D', 'B')
      where s.vo = ${input.vo} and b.state = 'SUSPICIOUS' and b.resolved_at is null
        ${input.rseIds ? sql`and b.rse_id = any(${input.rseIds}::int[])` : sql``}
        ${input.since ? sql`and b.at >= ${input.since}` : sql``}
      group by b.file_id, b.rse_id, s.name, f.name having count(*) >= ${input.atLeast}
      order by count(*) desc, min(b.at)`,
  )
