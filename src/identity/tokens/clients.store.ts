import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { Client, ClientFacts } from './client.ts'

/** The client with what proves it. */
export interface ClientRow extends Client {
  readonly hash: string | null
  readonly previousHash: string | null
  readonly previousUntil: Date | null
}

const CLIENT =
  sql.raw(`c.id, c.vo, c.account_id as "accountId", c.name, c.description, c.origin, c.grants, c.scopes,
  c.audiences, c.redirect_uris as "redirectUris", c.auth, c.jwks, c.access_seconds as "accessSeconds",
  c.refresh_seconds as "refreshSeconds", c.refresh_use as "refreshUse", c.grace_seconds as "graceSeconds", c.enabled,
  c.created_at as "createdAt", c.last_used_at as "lastUsedAt", c.secret_hash as hash,
  c.previous_secret_hash as "previousHash", c.previous_secret_until as "previousUntil"`)

type Written = ClientFacts & { readonly hash: string | null }

/** Inserts or replaces; a null hash keeps the secret there is. */
export const putClient = (db: Db, c: Written, now: Date) =>
  row(
    db,
    sql<ClientRow>`insert into oauth_client as c (id, vo, account_id, name, description, origin, secret_hash, grants, scopes,
      audiences, redirect_uris, auth, jwks, access_seconds, refresh_seconds, refresh_use, grace_seconds, created_at)
    values (${c.id}, ${c.vo}, ${c.accountId}, ${c.name}, ${c.description}, ${c.origin}, ${c.hash}, ${c.grants as string[]},
      ${c.scopes as string[]}, ${c.audiences as string[]}, ${c.redirectUris as string[]}, ${c.auth},
      ${c.jwks && JSON.stringify(c.jwks)}::jsonb, ${c.accessSeconds}, ${c.refreshSeconds}, ${c.refreshUse},
      ${c.graceSeconds}, ${now})
    on conflict (vo, id) do update set account_id = excluded.account_id, name = excluded.name,
      description = excluded.description, grants = excluded.grants, scopes = excluded.scopes,
      audiences = excluded.audiences, redirect_uris = excluded.redirect_uris, auth = excluded.auth, jwks = excluded.jwks,
      access_seconds = excluded.access_seconds, refresh_seconds = excluded.refresh_seconds,
      refresh_use = excluded.refresh_use, grace_seconds = excluded.grace_seconds,
      secret_hash = coalesce(excluded.secret_hash, c.secret_hash)
    returning ${CLIENT}`,
  )

export const insertClients = (db: Db, list: readonly Written[], now: Date) =>
  affected(
    db,
    sql`insert into oauth_client (id, vo, name, origin, grants, scopes, redirect_uris, auth, created_at)
    select id, vo, name, origin, array(select jsonb_array_elements_text(grants)),
      array(select jsonb_array_elements_text(scopes)), array(select jsonb_array_elements_text("redirectUris")), auth, ${now}
    from jsonb_to_recordset(${JSON.stringify(list)}::jsonb)
      as n(id text, vo text, name text, origin text, grants jsonb, scopes jsonb, "redirectUris" jsonb, auth text)
    on conflict (vo, id) do nothing`,
  )

export const selectClients = (db: Db, vo: string, filter: { id?: string; owner?: number } = {}) =>
  rows(
    db,
    sql<ClientRow>`select ${CLIENT} from oauth_client c where vo = ${vo}
    and (${filter.id ?? null}::text is null or id = ${filter.id ?? null})
    and (${filter.owner ?? null}::int is null or exists (select 1 from client_owner o
      where o.vo = c.vo and o.client_id = c.id and o.account_id = ${filter.owner ?? null}))
    order by id`,
  )

export const lockClient = (db: Db, vo: string, id: string) =>
  row(db, sql<ClientRow>`select ${CLIENT} from oauth_client c where vo = ${vo} and id = ${id} for update`)

export const updateEnabled = (db: Db, vo: string, id: string, enabled: boolean) =>
  affected(db, sql`update oauth_client set enabled = ${enabled} where vo = ${vo} and id = ${id}`)

export const updateSecret = (db: Db, vo: string, id: string, hash: string, previousUntil: Date) =>
  affected(
    db,
    sql`update oauth_client set previous_secret_hash = secret_hash, previous_secret_until = ${previousUntil},
      secret_hash = ${hash} where vo = ${vo} and id = ${id} and auth = 'secret'`,
  )

export const deleteClient = (db: Db, vo: string, id: string) =>
  affected(db, sql`delete from oauth_client where vo = ${vo} and id = ${id} and origin <> 'grid'`)

export const insertOwners = (db: Db, vo: string, id: string, accountIds: readonly number[]) =>
  affected(
    db,
    sql`insert into client_owner (vo, client_id, account_id) select ${vo}, ${id}, a.id from account a
    where a.vo = ${vo} and a.id = any(${accountIds as number[]}::int[]) on conflict do nothing`,
  )

export const dropOwner = (db: Db, vo: string, id: string, accountId: number) =>
  affected(
    db,
    sql`delete from client_owner where vo = ${vo} and client_id = ${id} and account_id = ${accountId}`,
  )

export const selectOwners = (db: Db, vo: string, ids: readonly string[]) =>
  rows(
    db,
    sql<{
      id: string
      accountId: number
      account: string
    }>`select o.client_id as id, a.id as "accountId", a.name as account
    from client_owner o join account a on a.id = o.account_id
    where o.vo = ${vo} and o.client_id = any(${ids as string[]}::text[]) order by a.name`,
  )

export const updateLastUsed = (db: Db, used: readonly { vo: string; id: string; at: Date }[]) =>
  affected(
    db,
    sql`update oauth_client c set last_used_at = greatest(c.last_used_at, u.at)
    from jsonb_to_recordset(${JSON.stringify(used)}::jsonb) as u(vo text, id text, at timestamptz)
    where c.vo = u.vo and c.id = u.id`,
  )

/** True for the first to use the key. */
export const insertAssertion = async (db: Db, key: string, expiresAt: Date) =>
  (await affected(
    db,
    sql`insert into used_assertion (key, expires_at) values (${key}, ${expiresAt}) on conflict do nothing`,
  )) > 0

export const dropOldAssertions = (db: Db, now: Date) =>
  affected(db, sql`delete from used_assertion where expires_at < ${now}`)
