import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'

export interface Reachable {
  readonly id: number
  readonly name: string
  /** Where mail about a password may go; null: nowhere. */
  readonly address: string | null
}

/**
 * The person of that name, or with that address. An address that nobody confirmed serves only as the primary one of
 * somebody who has confirmed none: a stranger who got into a profile must not get the password as well.
 */
export const selectReachable = (db: Db, vo: string, who: string) =>
  row(
    db,
    sql<Reachable>`select a.id, a.name, m.address from account a left join lateral (
      select e.address, e.is_primary, e.verified_at from email e where e.account_id = a.id
        and (e.verified_at is not null or (e.is_primary and not exists (
          select 1 from email c where c.account_id = a.id and c.verified_at is not null)))
        and (a.name = ${who} or lower(e.address) = lower(${who}))
      order by e.is_primary desc, e.address limit 1) m on true
    where a.id in (select id from account where vo = ${vo} and name = ${who}
        union all select e.account_id from email e where lower(e.address) = lower(${who}))
      and a.vo = ${vo} and a.kind = 'USER' and a.status <> 'DELETED' and (a.name = ${who} or m.address is not null)
    order by a.name = ${who} desc, a.id limit 1`,
  )

/** Links asked for since then; nobody asks for another one of this account until the end of the transaction. */
export async function linksSince(tx: Db, accountId: number, since: Date): Promise<number> {
  await rows(tx, sql`select id from account where id = ${accountId} for no key update`)
  const found = await row(
    tx,
    sql<{
      n: number
    }>`select count(*)::int as n from password_reset where account_id = ${accountId} and made_at > ${since}`,
  )
  return found!.n
}

export const insertLink = (tx: Db, digest: Buffer, accountId: number, madeAt: Date, expiresAt: Date) =>
  affected(
    tx,
    sql`insert into password_reset (digest, account_id, made_at, expires_at)
    values (${digest}, ${accountId}, ${madeAt}, ${expiresAt})`,
  )

const GOOD = (vo: string, digest: Buffer, now: Date) =>
  sql`a.id = r.account_id and a.vo = ${vo} and r.digest = ${digest} and r.used_at is null and r.expires_at > ${now}`

/** Whose link it is, if it is good. */
export const selectLink = (db: Db, vo: string, digest: Buffer, now: Date) =>
  row(
    db,
    sql<{ id: number; name: string }>`select a.id, a.name from password_reset r, account a
    where ${GOOD(vo, digest, now)}`,
  )

/** Uses it up; only the first of several callers gets an answer. */
export const takeLink = (tx: Db, vo: string, digest: Buffer, now: Date) =>
  row(
    tx,
    sql<{ id: number; name: string }>`update password_reset r set used_at = ${now} from account a
    where ${GOOD(vo, digest, now)} returning a.id, a.name`,
  )

/** Whoever has set a password needs no other link, and no login code from before. */
export async function closeLinks(tx: Db, accountIds: readonly number[], now: Date): Promise<void> {
  const ids = accountIds as number[]
  await affected(
    tx,
    sql`update password_reset set used_at = ${now} where account_id = any(${ids}::int[]) and used_at is null`,
  )
  await affected(
    tx,
    sql`update one_time_login set used_at = ${now} where account_id = any(${ids}::int[]) and used_at is null`,
  )
}

export const dropOldLinks = (db: Db, now: Date) =>
  affected(db, sql`delete from password_reset where expires_at < ${now}`)
