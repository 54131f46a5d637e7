import { affected, type Database, type Db, named, row, rows, sql } from '../../kernel/database.ts'

/** A lasting permission of a person for a client. */
export interface GrantRow {
  readonly id: string
  readonly vo: string
  readonly clientId: string
  readonly clientName: string
  readonly accountId: number
  readonly subject: string
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
  readonly actors: readonly string[]
  readonly authenticatedAt: Date
  readonly createdAt: Date
  readonly usedAt: Date
  readonly expiresAt: Date
  readonly revokedAt: Date | null
}

export interface RefreshRow extends Omit<GrantRow, 'clientName'> {
  readonly replacedAt: Date | null
}

const GRANT = `g.id, g.vo, g.client_id as "clientId", g.account_id as "accountId", g.subject, g.scopes, g.audience, g.actors,
  g.authenticated_at as "authenticatedAt", g.created_at as "createdAt", g.used_at as "usedAt",
  g.expires_at as "expiresAt", g.revoked_at as "revokedAt"`

/** Giving and revoking under one name happen one after the other. */
export const lockGrant = (db: Db, id: string) =>
  rows(db, sql`select pg_advisory_xact_lock(hashtext(${`token_grant ${id}`}))`)

/** Nothing is given under a name that was revoked meanwhile: zero then. */
export const insertGrant = (
  db: Db,
  g: Omit<GrantRow, 'clientName' | 'usedAt' | 'revokedAt'>,
  tokenHash: Buffer,
) =>
  affected(
    db,
    sql`with made as (
      insert into token_grant (id, vo, client_id, account_id, subject, scopes, audience, actors, authenticated_at, created_at,
        used_at, expires_at)
      select ${g.id}::uuid, ${g.vo}, ${g.clientId}, ${g.accountId}::int, ${g.subject}, ${g.scopes as string[]}::text[],
        ${g.audience as string[]}::text[], ${g.actors as string[]}::text[], ${g.authenticatedAt}::timestamptz,
        ${g.createdAt}::timestamptz, ${g.createdAt}::timestamptz, ${g.expiresAt}::timestamptz
      where not exists (select 1 from revoked_token where jti = ${g.id}) returning id)
    insert into refresh_token (token_hash, grant_id, created_at) select ${tokenHash}::bytea, id, ${g.createdAt}::timestamptz from made`,
  )

/** Every refresh asks this, so it is one prepared statement. */
export async function selectRefresh(pool: Database['pool'], hash: Buffer): Promise<RefreshRow | undefined> {
  const found = await named<RefreshRow>(
    pool,
    'identity-refresh',
    `select ${GRANT}, t.replaced_at as "replacedAt" from refresh_token t join token_grant g on g.id = t.grant_id
     where t.token_hash = $1`,
    [hash],
  )
  return found[0]
}

/** Puts the successor beside a token that has none yet; a second caller changes nothing. */
export const replaceRefresh = (pool: Database['pool'], hash: Buffer, next: Buffer, now: Date) =>
  named(
    pool,
    'identity-refresh-replace',
    `with old as (update refresh_token set replaced_at = $3 where token_hash = $1 and replaced_at is null
       returning grant_id)
     insert into refresh_token (token_hash, grant_id, created_at) select $2, grant_id, $3 from old
     on conflict do nothing`,
    [hash, next, now],
  )

/** The grants that are still good. */
export const selectGrants = (db: Db, vo: string, accountId: number, now: Date) =>
  rows(
    db,
    sql<GrantRow>`select ${sql.raw(GRANT)}, c.name as "clientName"
    from token_grant g join oauth_client c on c.vo = g.vo and c.id = g.client_id
    where g.vo = ${vo} and g.account_id = ${accountId} and g.revoked_at is null and g.expires_at > ${now}
    order by g.used_at desc`,
  )

/** Revokes and tells which; those that are over already are left out. */
export const revokeGrants = (
  db: Db,
  which: { vo: string; id?: string; accountId?: number },
  reason: string,
  now: Date,
) =>
  rows(
    db,
    sql<{ id: string; clientId: string; account: string }>`update token_grant g
    set revoked_at = ${now}, revoked_reason = ${reason} from account a
    where a.id = g.account_id and g.vo = ${which.vo} and revoked_at is null and expires_at > ${now}
      and (${which.id ?? null}::uuid is null or g.id = ${which.id ?? null}::uuid)
      and (${which.accountId ?? null}::int is null or account_id = ${which.accountId ?? null}::int)
    returning g.id, client_id as "clientId", a.name as account`,
  )

export const updateGrantsUsed = (db: Db, used: readonly { id: string; at: Date }[]) =>
  affected(
    db,
    sql`update token_grant g set used_at = greatest(g.used_at, u.at)
    from jsonb_to_recordset(${JSON.stringify(used)}::jsonb) as u(id uuid, at timestamptz) where g.id = u.id`,
  )

/** What is over, and replaced tokens old enough that their reuse is no news. */
export async function dropOldGrants(db: Db, before: Date): Promise<void> {
  await affected(db, sql`delete from token_grant where expires_at < ${before}`)
  await affected(db, sql`delete from refresh_token where created_at < ${before} and replaced_at < ${before}`)
}

export const selectConsent = (db: Db, accountId: number, vo: string, clientId: string) =>
  row(
    db,
    sql<{ scopes: string[] }>`select scopes from oauth_consent
    where account_id = ${accountId} and vo = ${vo} and client_id = ${clientId}`,
  )

/** What was consented to before stays so. */
export const putConsent = (
  db: Db,
  accountId: number,
  vo: string,
  clientId: string,
  scopes: readonly string[],
  now: Date,
) =>
  affected(
    db,
    sql`insert into oauth_consent as c (account_id, vo, client_id, scopes, given_at)
    values (${accountId}, ${vo}, ${clientId}, ${scopes as string[]}, ${now})
    on conflict (account_id, vo, client_id) do update set given_at = excluded.given_at,
      scopes = (select array_agg(distinct scope) from unnest(c.scopes || excluded.scopes) as scope)`,
  )

export const dropConsent = (db: Db, accountId: number, vo: string, clientId: string) =>
  affected(
    db,
    sql`delete from oauth_consent where account_id = ${accountId} and vo = ${vo} and client_id = ${clientId}`,
  )
