import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'

export interface Candidate {
  readonly id: number
  readonly name: string
  readonly hash: string | null
  readonly isDefault: boolean
}

/** The accounts a user name may open, with the password that opens them. */
export const selectCandidates = (db: Db, vo: string, username: string) =>
  rows(
    db,
    sql<Candidate>`select a.id, a.name, i.password_hash as hash, i.is_default as "isDefault"
    from account_identity i join account a on a.id = i.account_id
    where a.vo = ${vo} and i.kind = 'USERPASS' and i.identity = ${username} and a.status <> 'DELETED' order by a.name`,
  )

export const insertLoginCode = (db: Db, hash: Buffer, accountId: number, expiresAt: Date) =>
  affected(
    db,
    sql`insert into one_time_login (code_hash, account_id, expires_at) values (${hash}, ${accountId}, ${expiresAt})`,
  )

/** Marks the code used and tells whose it was; only the first of several callers gets an answer. */
export const takeLoginCode = (db: Db, vo: string, hash: Buffer, now: Date) =>
  row(
    db,
    sql<{ id: number }>`update one_time_login o set used_at = ${now} from account a
    where a.id = o.account_id and a.vo = ${vo} and code_hash = ${hash} and used_at is null and expires_at > ${now}
    returning o.account_id as id`,
  )

export const failuresOf = async (db: Db, key: string, since: Date): Promise<number> => {
  const found = await row(
    db,
    sql<{
      n: number
    }>`select failures as n from login_failure where key = ${key} and window_started_at > ${since}`,
  )
  return found?.n ?? 0
}

export const countFailure = (db: Db, key: string, since: Date, now: Date) =>
  affected(
    db,
    sql`insert into login_failure as f (key, failures, window_started_at) values (${key}, 1, ${now})
    on conflict (key) do update set failures = case when f.window_started_at > ${since} then f.failures + 1 else 1 end,
      window_started_at = case when f.window_started_at > ${since} then f.window_started_at else ${now} end`,
  )

export const forgetFailures = (db: Db, key: string) =>
  affected(db, sql`delete from login_failure where key = ${key}`)

/** `since` lies back as far as the longest window in which failures are counted. */
export async function dropOldLogins(db: Db, since: Date, now: Date): Promise<void> {
  await affected(db, sql`delete from login_failure where window_started_at <= ${since}`)
  await affected(db, sql`delete from one_time_login where expires_at < ${now}`)
}
