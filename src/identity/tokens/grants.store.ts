import { affected, type Db, prepared, row, rows, sql } from '../../kernel/database.ts'

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

/** A grant as its refresh token finds it. */
export interface RefreshRow extends Omit<GrantRow, 'clientName'> {
  /** The token is the present one of its family. */
  readonly present: boolean
  /** When it was replaced; null for one that never belonged to the family, and for the present one. */
  readonly replacedAt: Date | null
}

const GRANT = `g.id, g.vo, g.client_id as "clientId", g.account_id as "accountId", g.subject,
  to_jsonb(g.scopes) as scopes, to_jsonb(g.audience) as audience, to_jsonb(g.actors) as actors,
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
    sql`insert into token_grant (id, vo, client_id, account_id, subject, scopes, audience, actors, authenticated_at,
      created_at, used_at, expires_at, token_hash)
    select ${g.id}::uuid, ${g.vo}, ${g.clientId}, ${g.accountId}::int, ${g.subject}, ${g.scopes as string[]}::text[],
      ${g.audience as string[]}::text[], ${g.actors as string[]}::text[], ${g.authenticatedAt}::timestamptz,
      ${g.createdAt}::timestamptz, ${g.createdAt}::timestamptz, ${g.expiresAt}::timestamptz, ${tokenHash}::bytea
    where not exists (select 1 from revoked_token where jti = ${g.id})`,
  )

/** Every refresh asks this. */
export async function selectRefresh(db: Db, id: string, hash: Buffer): Promise<RefreshRow | undefined> {
  const found = await prepared(
    db,
    sql<RefreshRow>`select ${sql.raw(GRANT)}, g.token_hash = ${hash}::bytea as present,
       g.replaced_at[array_position(g.replaced, ${hash}::bytea)] as "replacedAt"
     from token_grant g where g.id = ${id}`,
  )
  return found[0]
}

/** So many tokens back a second use is noticed; one further back is simply wrong. */
const REMEMBERED = 20

/** Puts the successor in place of the present token of a good grant; false, and no change, for any other token. */
export async function replaceRefresh(
  db: Db,
  id: string,
  hash: Buffer,
  next: Buffer,
  now: Date,
): Promise<boolean> {
  const replaced = await prepared(
    db,
    sql`update token_grant set token_hash = ${next}, used_at = ${now},
       replaced = (array_prepend(${hash}::bytea, replaced))[1:${sql.lit(REMEMBERED)}],
       replaced_at = (array_prepend(${now}::timestamptz, replaced_at))[1:${sql.lit(REMEMBERED)}]
     where id = ${id} and token_hash = ${hash} and revoked_at is null and expires_at > ${now} returning 1`,
  )
  return replaced.length > 0
}

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

export const dropOldGrants = (db: Db, now: Date) =>
  affected(db, sql`delete from token_grant where expires_at < ${now}`)

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
