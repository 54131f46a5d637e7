import { affected, type Db, row, rows, sql } from '../kernel/database.ts'
import type { Account, AccountIdentity, Client, NewAccount } from './identity.ts'

const ACCOUNT = sql.raw(`a.id, a.uuid, a.vo, a.name, a.kind, a.status, a.email, a.created_at as "createdAt",
  a.updated_at as "updatedAt", a.suspended_at as "suspendedAt", a.deleted_at as "deletedAt"`)

export interface Rule {
  vo: string
  subjectKind: 'everyone' | 'group' | 'account' | 'attribute'
  subject: string
  action: string
  resource: string
  effect: 'allow' | 'deny'
}
export interface SealedKey {
  kid: string
  jwk: Record<string, unknown>
  sealed: Buffer
  activeFrom: Date
}

export const insertVo = (db: Db, vo: { id: string; title: string; prefix: string }, now: Date) =>
  affected(
    db,
    sql`insert into vo (id, title, storage_prefix, created_at)
    values (${vo.id}, ${vo.title}, ${vo.prefix}, ${now}) on conflict do nothing`,
  )
export const selectVos = (db: Db) =>
  rows(
    db,
    sql<{ id: string; title: string; storagePrefix: string }>`
    select id, title, storage_prefix as "storagePrefix" from vo order by id`,
  )
export const insertRules = (db: Db, rules: readonly Rule[]) =>
  affected(
    db,
    sql`insert into authz_rule (vo, subject_kind, subject, action, resource, effect)
    select vo, "subjectKind", subject, action, resource, effect from jsonb_to_recordset(${JSON.stringify(rules)}::jsonb)
      as r(vo text, "subjectKind" text, subject text, action text, resource text, effect text) on conflict do nothing`,
  )
export const selectRules = (db: Db) =>
  rows(
    db,
    sql<Rule>`select vo, subject_kind as "subjectKind", subject, action, resource, effect from authz_rule`,
  )

export const insertAccounts = (db: Db, list: readonly (NewAccount & { uuid: string })[], now: Date) =>
  rows(
    db,
    sql<Account>`insert into account as a (uuid, vo, name, kind, email, created_at, updated_at)
    select uuid, vo, name, coalesce(kind, 'USER'), email, ${now}, ${now}
    from jsonb_to_recordset(${JSON.stringify(list)}::jsonb) as n(uuid uuid, vo text, name text, kind text, email text)
    on conflict (vo, name) do nothing returning ${ACCOUNT}`,
  )
export const accountsByName = (db: Db, vo: string, names: readonly string[] | null) =>
  rows(
    db,
    sql<Account>`select ${ACCOUNT} from account a where vo = ${vo}
    and (${names as string[] | null}::text[] is null or name = any(${names as string[] | null}::text[])) order by name`,
  )
export const accountsById = (db: Db, ids: readonly number[]) =>
  rows(db, sql<Account>`select ${ACCOUNT} from account a where id = any(${ids as number[]}::int[])`)
export const accountsByIdentity = (db: Db, vo: string, kind: string, identity: string) =>
  rows(
    db,
    sql<Account & { hash: string | null; isDefault: boolean }>`
    select ${ACCOUNT}, i.password_hash as hash, i.is_default as "isDefault"
    from account_identity i join account a on a.id = i.account_id
    where a.vo = ${vo} and i.kind = ${kind} and i.identity = ${identity} and a.status <> 'DELETED' order by a.name`,
  )
export const updateAccount = (
  db: Db,
  id: number,
  c: { status?: string; email?: string | null; kind?: string },
  now: Date,
) =>
  row(
    db,
    sql<Account>`update account a set status = coalesce(${c.status ?? null}, status), kind = coalesce(${c.kind ?? null}, kind),
    email = case when ${c.email !== undefined} then ${c.email ?? null} else email end, updated_at = ${now},
    suspended_at = case when ${c.status ?? null}::text = 'SUSPENDED' then ${now} when ${c.status ?? null}::text = 'ACTIVE' then null else suspended_at end,
    deleted_at = case when ${c.status ?? null}::text = 'DELETED' then ${now} else deleted_at end
    where id = ${id} returning ${ACCOUNT}`,
  )
export const selectAttributes = (db: Db, ids: readonly number[]) =>
  rows(
    db,
    sql<{ id: number; key: string; value: string }>`select account_id as id, key, value from account_attribute
    where account_id = any(${ids as number[]}::int[]) order by key`,
  )
export const putAttributes = (db: Db, id: number, values: Readonly<Record<string, string>>) =>
  affected(
    db,
    sql`insert into account_attribute (account_id, key, value)
    select ${id}, key, value from jsonb_each_text(${JSON.stringify(values)}::jsonb)
    on conflict (account_id, key) do update set value = excluded.value`,
  )
export const dropAttributes = (db: Db, id: number, keys: readonly string[]) =>
  affected(
    db,
    sql`delete from account_attribute where account_id = ${id} and key = any(${keys as string[]}::text[])`,
  )
export const putIdentities = (
  db: Db,
  list: readonly (AccountIdentity & { hash: string | null })[],
  now: Date,
) =>
  affected(
    db,
    sql`insert into account_identity (account_id, kind, identity, password_hash, is_default, created_at)
    select "accountId", kind, identity, hash, "isDefault", ${now} from jsonb_to_recordset(${JSON.stringify(list)}::jsonb)
      as n("accountId" int, kind text, identity text, hash text, "isDefault" boolean)
    on conflict (kind, identity, account_id) do update set password_hash = coalesce(excluded.password_hash, account_identity.password_hash)`,
  )
export const dropIdentity = (db: Db, id: number, kind: string, identity: string) =>
  affected(
    db,
    sql`delete from account_identity where account_id = ${id} and kind = ${kind} and identity = ${identity}`,
  )
export const selectIdentities = (db: Db, ids: readonly number[]) =>
  rows(
    db,
    sql<AccountIdentity>`select account_id as "accountId", kind, identity, is_default as "isDefault"
    from account_identity where account_id = any(${ids as number[]}::int[]) order by kind, identity`,
  )

export const insertGroups = (
  db: Db,
  vo: string,
  list: readonly { path: string; optional?: boolean }[],
  now: Date,
) =>
  affected(
    db,
    sql`insert into grp (vo, path, optional, created_at) select ${vo}, path, coalesce(optional, false), ${now}
    from jsonb_to_recordset(${JSON.stringify(list)}::jsonb) as g(path text, optional boolean) on conflict do nothing`,
  )
export const insertMembers = (db: Db, vo: string, path: string, ids: readonly number[], now: Date) =>
  affected(
    db,
    sql`insert into membership (account_id, grp_id, since) select a.id, g.id, ${now} from account a, grp g
    where a.id = any(${ids as number[]}::int[]) and a.vo = ${vo} and g.vo = ${vo} and g.path = ${path} on conflict do nothing`,
  )
export const dropMembers = (db: Db, vo: string, path: string, ids: readonly number[]) =>
  affected(
    db,
    sql`delete from membership m using grp g where g.id = m.grp_id and g.vo = ${vo} and g.path = ${path}
    and m.account_id = any(${ids as number[]}::int[])`,
  )
export const selectGroups = (db: Db, ids: readonly number[], now: Date) =>
  rows(
    db,
    sql<{
      id: number
      path: string
    }>`select m.account_id as id, g.path from membership m join grp g on g.id = m.grp_id
    where m.account_id = any(${ids as number[]}::int[]) and not g.optional and (m.until is null or m.until > ${now}) order by g.path`,
  )

export const putClient = (db: Db, c: Client & { hash: string | null }, now: Date) =>
  affected(
    db,
    sql`insert into oauth_client (id, vo, account_id, secret_hash, grants, scopes, audiences, created_at)
    values (${c.id}, ${c.vo}, ${c.accountId}, ${c.hash}, ${c.grants as string[]}, ${c.scopes as string[]}, ${c.audiences as string[]}, ${now})
    on conflict (id) do update set scopes = excluded.scopes, audiences = excluded.audiences,
      secret_hash = coalesce(excluded.secret_hash, oauth_client.secret_hash) where oauth_client.vo = excluded.vo`,
  )
export const selectClient = (db: Db, vo: string, id: string) =>
  row(
    db,
    sql<
      Client & { hash: string | null }
    >`select id, vo, account_id as "accountId", grants, scopes, audiences, enabled,
    secret_hash as hash from oauth_client where vo = ${vo} and id = ${id}`,
  )

export const lockKeys = (db: Db, vo: string) =>
  rows(db, sql`select pg_advisory_xact_lock(hashtext(${`signing_key ${vo}`}))`)
export const selectKeys = (db: Db, vo: string, now: Date) =>
  rows(
    db,
    sql<SealedKey>`select kid, public_jwk as jwk, private_sealed as sealed, active_from as "activeFrom"
    from signing_key where vo = ${vo} and retire_at > ${now} order by active_from`,
  )
export const insertKey = (db: Db, vo: string, k: SealedKey, retireAt: Date, now: Date) =>
  affected(
    db,
    sql`insert into signing_key (kid, vo, alg, public_jwk, private_sealed, published_at, active_from, retire_at)
    values (${k.kid}, ${vo}, 'ES256', ${JSON.stringify(k.jwk)}::jsonb, ${k.sealed}, ${now}, ${k.activeFrom}, ${retireAt})`,
  )
export const insertRevoked = (db: Db, jti: string, expiresAt: Date) =>
  affected(
    db,
    sql`insert into revoked_token (jti, expires_at) values (${jti}, ${expiresAt}) on conflict do nothing`,
  )
export const isRevoked = async (db: Db, jti: string) =>
  (await row(db, sql`select 1 from revoked_token where jti = ${jti}`)) !== undefined
export const insertLoginCode = (db: Db, hash: Buffer, id: number, expiresAt: Date) =>
  affected(
    db,
    sql`insert into one_time_login (code_hash, account_id, expires_at) values (${hash}, ${id}, ${expiresAt})`,
  )
export const takeLoginCode = (db: Db, vo: string, hash: Buffer, now: Date) =>
  row(
    db,
    sql<{
      id: number
    }>`update one_time_login o set used_at = ${now} from account a where a.id = o.account_id and a.vo = ${vo}
    and code_hash = ${hash} and used_at is null and expires_at > ${now} returning o.account_id as id`,
  )
export const failuresOf = async (db: Db, key: string, since: Date) =>
  (
    await row(
      db,
      sql<{
        n: number
      }>`select failures as n from login_failure where key = ${key} and window_started_at > ${since}`,
    )
  )?.n ?? 0
export const countFailure = (db: Db, key: string, since: Date, now: Date) =>
  affected(
    db,
    sql`insert into login_failure as f (key, failures, window_started_at) values (${key}, 1, ${now})
    on conflict (key) do update set failures = case when f.window_started_at > ${since} then f.failures + 1 else 1 end,
      window_started_at = case when f.window_started_at > ${since} then f.window_started_at else ${now} end`,
  )
