import { type Db, row, rows, sql } from '../kernel/index.ts'
import type { LimitView, UsageView } from './types.ts'

/** Bytes that the rules of accounts ask for, per storage: every rule pays for its own, as in the field. */
const asked = (accounts: readonly number[]) => sql`
  select account_id, rse_id, sum(files)::bigint as files, sum(bytes)::bigint as bytes from (
    select r.account_id, p.rse_id,
      c.n_files + coalesce(d.files, 0) as files, c.bytes + coalesce(d.bytes, 0) as bytes
    from rule r join placement p on p.rule_id = r.id join collection c on c.id = p.collection_id
    left join lateral (select sum(d_files) as files, sum(d_bytes) as bytes from counter_delta
      where kind = 'collection' and key1 = c.id) d on true
    where r.account_id = any(${accounts}::int[])
    union all
    select r.account_id, fp.rse_id, 1, f.bytes
    from rule r join file_placement fp on fp.rule_id = r.id join file f on f.id = fp.file_id
    where r.account_id = any(${accounts}::int[])) x
  group by account_id, rse_id`

export const selectUsage = (db: Db, accountId: number) =>
  rows(
    db,
    sql<UsageView>`select coalesce(u.rse_id, l.rse_id) as "rseId", coalesce(u.files, 0)::bigint as files,
        coalesce(u.bytes, 0)::bigint as bytes, l.bytes as limit
      from (${asked([accountId])}) u
      full join (select rse_id, bytes from account_limit where account_id = ${accountId} and rse_expression = '') l
        on l.rse_id = u.rse_id order by 1`,
  )

/** The first local limit that the rules of accounts now exceed. */
export const exceededLimits = (db: Db, accounts: readonly number[]) =>
  row(
    db,
    sql<{ where: string; used: bigint; limit: bigint }>`
      select 'storage ' || e.name as where, u.bytes as used, l.bytes as limit
      from account_limit l join rse e on e.id = l.rse_id
      join (${asked(accounts)}) u on u.account_id = l.account_id and u.rse_id = l.rse_id
      where l.account_id = any(${accounts}::int[]) and l.rse_expression = '' and l.bytes >= 0 and u.bytes > l.bytes
      limit 1`,
  )

export const selectLimits = (db: Db, accountId: number) =>
  rows(
    db,
    sql<LimitView>`select nullif(rse_id, 0) as "rseId", nullif(rse_expression, '') as "rseExpression", bytes
      from account_limit where account_id = ${accountId} order by 1, 2`,
  )

export async function writeLimit(
  db: Db,
  input: { accountId: number; rseId?: number; rseExpression?: string; bytes: bigint | null },
): Promise<void> {
  const { accountId, rseId = 0, rseExpression = '', bytes } = input
  if (bytes === null) {
    await sql`delete from account_limit where account_id = ${accountId} and rse_id = ${rseId}
      and rse_expression = ${rseExpression}`.execute(db)
    return
  }
  await sql`insert into account_limit (account_id, rse_expression, rse_id, bytes)
    values (${accountId}, ${rseExpression}, ${rseId}, ${bytes})
    on conflict (account_id, rse_expression, rse_id) do update set bytes = excluded.bytes`.execute(db)
}
