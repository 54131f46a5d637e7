import { affected, type Db, prepared, rows, sql } from '../../kernel/database.ts'
import { STANDING_COLUMNS, STANDING_JOINS, type StandingFacts } from '../people/standing.store.ts'

export interface SessionRow {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  readonly address: string
  readonly userAgent: string
  readonly createdAt: Date
  readonly seenAt: Date
  readonly expiresAt: Date
}

/** A session with the account behind it. */
export interface SessionFacts {
  readonly session: string
  readonly createdAt: Date
  readonly seenAt: Date
  readonly expiresAt: Date
  readonly account: StandingFacts & { readonly uuid: string }
  readonly attributes: Record<string, string>
  readonly groups: string[]
}

const SESSION = `s.id, s.vo, s.account_id as "accountId", s.address, s.user_agent as "userAgent",
  s.created_at as "createdAt", s.seen_at as "seenAt", s.expires_at as "expiresAt"`

export const insertSession = (db: Db, s: SessionRow, hash: Buffer) =>
  affected(
    db,
    sql`insert into web_session (secret_hash, id, vo, account_id, address, user_agent, created_at, seen_at, expires_at)
    values (${hash}, ${s.id}, ${s.vo}, ${s.accountId}, ${s.address}, ${s.userAgent}, ${s.createdAt}, ${s.seenAt}, ${s.expiresAt})`,
  )

/** Every request of the console needs this. */
export async function selectSession(db: Db, hash: Buffer, now: Date): Promise<SessionFacts | undefined> {
  const [found] = await prepared(
    db,
    sql<
      Omit<SessionFacts, 'account'> & SessionFacts['account']
    >`select ${sql.raw(STANDING_COLUMNS)}, a.uuid, w.id as session, w.created_at as "createdAt", w.seen_at as "seenAt",
       w.expires_at as "expiresAt",
       coalesce((select jsonb_object_agg(key, value) from account_attribute where account_id = a.id), '{}') as attributes,
       coalesce((select jsonb_agg(g.path order by g.path) from membership m join grp g on g.id = m.grp_id
         where m.account_id = a.id and not g.optional and (m.until is null or m.until > ${now})), '[]') as groups
     from web_session w join account a on a.id = w.account_id ${sql.raw(STANDING_JOINS)} where w.secret_hash = ${hash}`,
  )
  if (!found) return undefined
  const { session, createdAt, seenAt, expiresAt, attributes, groups, ...account } = found
  return { session, createdAt, seenAt, expiresAt, attributes, groups, account }
}

export const selectSessions = (db: Db, vo: string, accountId: number, now: Date, idleSince: Date) =>
  rows(
    db,
    sql<SessionRow>`select ${sql.raw(SESSION)} from web_session s
    where vo = ${vo} and account_id = ${accountId} and expires_at > ${now} and seen_at > ${idleSince}
    order by seen_at desc`,
  )

export const deleteSession = (db: Db, which: { vo: string; accountId: number; id: string }) =>
  affected(
    db,
    sql`delete from web_session
    where vo = ${which.vo} and account_id = ${which.accountId} and id = ${which.id}::uuid`,
  )

/** Ends all of these accounts but one; tells how many. */
export const deleteSessions = (db: Db, accountIds: readonly number[], except: string | null) =>
  affected(
    db,
    sql`delete from web_session
    where account_id = any(${accountIds as number[]}::int[]) and id is distinct from ${except}::uuid`,
  )

export const updateSessionsSeen = (db: Db, seen: readonly { hash: string; at: Date }[]) =>
  affected(
    db,
    sql`update web_session s set seen_at = u.at
    from jsonb_to_recordset(${JSON.stringify(seen)}::jsonb) as u(hash text, at timestamptz)
    where s.secret_hash = decode(u.hash, 'hex') and s.seen_at < u.at - interval '30 seconds'`,
  )

export const dropOldSessions = (db: Db, now: Date, idleSince: Date) =>
  affected(db, sql`delete from web_session where expires_at < ${now} or seen_at < ${idleSince}`)
