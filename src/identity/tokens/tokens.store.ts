import { affected, type Db, prepared, row, sql } from '../../kernel/database.ts'
import type { AccountKind, AccountStatus } from '../accounts/account.ts'
import type { Refused } from './refused.ts'

/** What the database knows about the bearer of a token. */
export interface BearerFacts {
  readonly revoked: boolean
  readonly account: {
    readonly id: number
    readonly uuid: string
    readonly kind: AccountKind
    readonly status: AccountStatus
    readonly attributes: Record<string, string>
  } | null
  /** Null when the subject is no client of the VO. */
  readonly client: { readonly accountId: number | null; readonly enabled: boolean } | null
  /** Null when there is no client of that id. */
  readonly issuedTo: { readonly enabled: boolean } | null
}

export interface Bearer {
  readonly vo: string
  readonly account: string | null
  readonly subject: string
  readonly tokenId: string
  readonly clientId: string | null
  readonly grantId: string | null
}

/** Every request needs this. */
export async function selectBearer(
  db: Db,
  { vo, account, subject, tokenId, clientId, grantId }: Bearer,
): Promise<BearerFacts> {
  const found = await prepared(
    db,
    sql<BearerFacts>`select exists (select 1 from revoked_token where jti in (${tokenId}, ${grantId})) as revoked,
       (select jsonb_build_object('id', a.id, 'uuid', a.uuid, 'kind', a.kind, 'status', a.status, 'attributes',
          coalesce((select jsonb_object_agg(key, value) from account_attribute where account_id = a.id), '{}'))
        from account a where a.vo = ${vo} and a.name = ${account}) as account,
       (select jsonb_build_object('accountId', c.account_id, 'enabled', c.enabled)
        from oauth_client c where c.vo = ${vo} and c.id = ${subject}) as client,
       (select jsonb_build_object('enabled', c.enabled)
        from oauth_client c where c.vo = ${vo} and c.id = ${clientId}) as "issuedTo"`,
  )
  return found[0]!
}

/** By the id of a token, or of the grant it comes from. */
export const insertRevoked = (db: Db, jti: string, expiresAt: Date) =>
  affected(
    db,
    sql`insert into revoked_token (jti, expires_at) values (${jti}, ${expiresAt})
    on conflict (jti) do update set expires_at = greatest(revoked_token.expires_at, excluded.expires_at)`,
  )

export const dropExpiredRevocations = (db: Db, now: Date) =>
  affected(db, sql`delete from revoked_token where expires_at < ${now}`)

/** Who and what is refused although a token of it may not have expired: ids and names only, sorted. */
export const selectRefused = async (db: Db, vo: string, now: Date): Promise<Refused> =>
  (await row(
    db,
    sql<Refused>`select
      array(select name from account where vo = ${vo} and status <> 'ACTIVE'
        and updated_at > ${now}::timestamptz - interval '7 days' order by name) as accounts,
      array(select id from oauth_client where vo = ${vo} and not enabled order by id) as clients,
      array(select jti from revoked_token where expires_at > ${now} order by jti) as tokens`,
  ))!
