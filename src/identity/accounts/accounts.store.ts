import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { Account, AccountIdentity, NewAccount } from './account.ts'

const ACCOUNT = sql.raw(`a.id, a.uuid, a.vo, a.name, a.kind, a.status, a.created_at as "createdAt",
  (select address from email where account_id = a.id and is_primary) as email,
  a.updated_at as "updatedAt", a.suspended_at as "suspendedAt", a.deleted_at as "deletedAt"`)

/** The new ones only: names that exist already are left alone. People become members of the VO's root group. */
export const insertAccounts = (db: Db, list: readonly (NewAccount & { uuid: string })[], now: Date) =>
  rows(
    db,
    sql<Account>`with wanted as (
      select * from jsonb_to_recordset(${JSON.stringify(list)}::jsonb)
        as n(uuid uuid, vo text, name text, kind text, email text, "givenName" text, "familyName" text, institute text,
          "endTime" timestamptz, status text)),
    made as (insert into account (uuid, vo, name, kind, status, given_name, family_name, institute, end_time, created_at,
        updated_at)
      select uuid, vo, name, coalesce(kind, 'USER'), coalesce(status, 'ACTIVE'), coalesce("givenName", ''),
        coalesce("familyName", ''), coalesce(institute, ''), "endTime", ${now}, ${now}
      from wanted where exists (select 1 from vo where vo.id = wanted.vo)
      on conflict (vo, name) do nothing returning *),
    mailed as (insert into email (account_id, address, is_primary)
      select made.id, wanted.email, true from made join wanted using (uuid) where wanted.email is not null),
    joined as (insert into membership (account_id, grp_id, since, origin)
      select made.id, g.id, ${now}, 'vo' from made join grp g on g.vo = made.vo and g.parent is null
      where made.kind = 'USER' and made.status <> 'PENDING')
    select made.id, made.uuid, made.vo, made.name, made.kind, made.status, made.created_at as "createdAt",
      wanted.email, made.updated_at as "updatedAt", made.suspended_at as "suspendedAt", made.deleted_at as "deletedAt"
    from made join wanted using (uuid)`,
  )

export const accountsByName = (db: Db, vo: string, names: readonly string[]) =>
  rows(
    db,
    sql<Account>`select ${ACCOUNT} from account a
    where vo = ${vo} and name = any(${names as string[]}::text[]) order by name`,
  )

export const accountsById = (db: Db, ids: readonly number[]) =>
  rows(db, sql<Account>`select ${ACCOUNT} from account a where id = any(${ids as number[]}::int[])`)

export const selectAccounts = (
  db: Db,
  vo: string,
  filter: { kind?: string; identity?: string; attributes?: Readonly<Record<string, string>> },
) =>
  rows(
    db,
    sql<Account>`select ${ACCOUNT} from account a where a.vo = ${vo} and a.status <> 'PENDING'
    and (${filter.kind ?? null}::text is null or a.kind = ${filter.kind ?? null})
    and (${filter.identity ?? null}::text is null or exists (
      select 1 from account_identity i where i.account_id = a.id and i.identity = ${filter.identity ?? null}))
    and not exists (
      select 1 from jsonb_each_text(${JSON.stringify(filter.attributes ?? {})}::jsonb) as want(key, value)
      where not exists (select 1 from account_attribute t
        where t.account_id = a.id and t.key = want.key and t.value = want.value))
    order by a.name`,
  )

export const accountsByIdentity = (db: Db, vo: string, kind: string, identity: string) =>
  rows(
    db,
    sql<Account>`select ${ACCOUNT} from account_identity i join account a on a.id = i.account_id
    where a.vo = ${vo} and i.kind = ${kind} and i.identity = ${identity} and a.status <> 'DELETED' order by a.name`,
  )

export const updateAccount = (
  db: Db,
  id: number,
  c: { status?: string; kind?: string; reason?: string },
  now: Date,
) =>
  row(
    db,
    sql<Account>`update account a set status = coalesce(${c.status ?? null}, status), kind = coalesce(${c.kind ?? null}, kind),
    updated_at = ${now}, status_reason = case when ${c.status ?? null}::text is null then status_reason else ${c.reason ?? ''} end,
    ending = case when ${c.status ?? null}::text is null then ending end,
    ending_since = case when ${c.status ?? null}::text is null then ending_since end,
    suspended_at = case when ${c.status ?? null}::text = 'SUSPENDED' then ${now} when ${c.status ?? null}::text = 'ACTIVE' then null else suspended_at end,
    deleted_at = case ${c.status ?? null}::text when 'DELETED' then ${now} when 'ACTIVE' then null else deleted_at end
    where id = ${id} returning ${ACCOUNT}`,
  )

/** Whether the account is the only active administrator of its VO; nobody changes that until the end of the transaction. */
export async function isLastAdministrator(tx: Db, vo: string, id: number): Promise<boolean> {
  await rows(tx, sql`select pg_advisory_xact_lock(hashtextextended(${vo}, 7308327))`)
  const found = await row(
    tx,
    sql<{
      own: number
      all: number
    }>`select count(*) filter (where a.id = ${id})::int as own, count(*)::int as all
    from account a join account_attribute t on t.account_id = a.id
    where a.vo = ${vo} and a.status = 'ACTIVE' and t.key = 'admin' and lower(t.value) = 'true'`,
  )
  return found?.own === 1 && found.all === 1
}

/** Makes it the primary address, or takes that away. */
export async function putPrimaryEmail(db: Db, id: number, address: string | null): Promise<void> {
  await affected(
    db,
    sql`delete from email where account_id = ${id} and is_primary and lower(address) is distinct from lower(${address})`,
  )
  if (address === null) return
  await affected(
    db,
    sql`insert into email (account_id, address, is_primary) values (${id}, ${address}, true)
    on conflict (account_id, lower(address)) do update set address = excluded.address, is_primary = true`,
  )
}

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

/** Identities with a password that another account of the same VO has already. */
export const passwordsOfOthers = (
  db: Db,
  list: readonly { accountId: number; kind: string; identity: string }[],
) =>
  rows(
    db,
    sql<{ identity: string }>`select distinct i.identity
    from jsonb_to_recordset(${JSON.stringify(list)}::jsonb) as n("accountId" int, kind text, identity text)
    join account own on own.id = n."accountId"
    join account_identity i on i.kind = n.kind and i.identity = n.identity and i.account_id <> n."accountId"
    join account other on other.id = i.account_id and other.vo = own.vo
    where i.password_hash is not null`,
  )

/** A row without a hash keeps the one it has. */
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
    on conflict (kind, identity, account_id) do update
      set password_hash = coalesce(excluded.password_hash, account_identity.password_hash)`,
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
