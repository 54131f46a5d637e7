import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { Group } from '../accounts/group.ts'
import type { Predicate } from './condition.store.ts'
import type { Page } from './condition.ts'
import type { Email, Person } from './person.ts'

const PERSON =
  sql.raw(`a.id, a.uuid, a.vo, a.name as username, a.kind, a.status, a.status_reason as "statusReason",
  a.given_name as "givenName", a.family_name as "familyName", a.institute, a.end_time as "endTime", a.ending,
  a.ending_since as "endingSince", a.created_at as "createdAt", a.updated_at as "updatedAt",
  (select max(signed_at) from policy_signature where account_id = a.id and withdrawn_at is null) as "signedAt",
  coalesce((select jsonb_agg(jsonb_build_object('address', address, 'primary', is_primary, 'verifiedAt', verified_at)
    order by is_primary desc, address) from email where account_id = a.id), '[]') as emails`)

type Raw = Omit<Person, 'emails'> & {
  emails: readonly { address: string; primary: boolean; verifiedAt: string | null }[]
}

const read = (found: readonly Raw[]): Person[] =>
  found.map((person) => ({
    ...person,
    emails: person.emails.map((email) => ({
      ...email,
      verifiedAt: email.verifiedAt === null ? null : new Date(email.verifiedAt),
    })),
  }))

export const peopleById = async (db: Db, ids: readonly number[]) =>
  read(
    await rows(
      db,
      sql<Raw>`select ${PERSON} from account a where a.id = any(${ids as number[]}::int[]) order by a.name`,
    ),
  )

export const personByUuid = async (db: Db, vo: string, uuid: string) =>
  read(
    await rows(
      db,
      sql<Raw>`select ${PERSON} from account a where a.uuid = ${uuid}::uuid and a.vo = ${vo} and a.status <> 'DELETED'`,
    ),
  )[0]

export const personByName = async (db: Db, vo: string, name: string) =>
  read(await rows(db, sql<Raw>`select ${PERSON} from account a where a.vo = ${vo} and a.name = ${name}`))[0]

export const idsByUuid = (db: Db, vo: string, uuids: readonly string[]) =>
  rows(
    db,
    sql<{ id: number; uuid: string }>`select id, uuid from account
    where uuid = any(${uuids as string[]}::uuid[]) and vo = ${vo} and status <> 'DELETED'`,
  )

const direction = (descending = false) => sql.raw(descending ? 'desc' : 'asc')

/** Those that fit, by name; the tombstones of removed people are no people. */
export const selectPeople = async (
  db: Db,
  vo: string,
  which: Predicate,
  { offset, limit, descending }: Page,
  now: Date,
) =>
  read(
    await rows(
      db,
      sql<Raw>`select ${PERSON} from account a cross join (select ${now}::timestamptz as at) now
      where a.vo = ${vo} and a.status <> 'DELETED' and ${which} order by a.name ${direction(descending)} offset ${offset} limit ${limit}`,
    ),
  )

export const countPeople = async (db: Db, vo: string, which: Predicate, now: Date): Promise<number> =>
  (await row(
    db,
    sql<{
      n: number
    }>`select count(*)::int as n from account a cross join (select ${now}::timestamptz as at) now
    where a.vo = ${vo} and a.status <> 'DELETED' and ${which}`,
  ))!.n

const GROUP =
  sql.raw(`g.id, g.uuid, g.vo, g.path, g.description, g.optional, g.role, g.created_at as "createdAt",
  g.updated_at as "updatedAt", (select p.uuid from grp p where p.id = g.parent) as "parentUuid"`)

export const selectGroups = (
  db: Db,
  vo: string,
  which: Predicate,
  { offset, limit, descending }: Page,
  now: Date,
) =>
  rows(
    db,
    sql<Group>`select ${GROUP} from grp g cross join (select ${now}::timestamptz as at) now
    where g.vo = ${vo} and ${which} order by g.path collate "C" ${direction(descending)} offset ${offset} limit ${limit}`,
  )

export const countGroups = async (db: Db, vo: string, which: Predicate, now: Date): Promise<number> =>
  (await row(
    db,
    sql<{ n: number }>`select count(*)::int as n from grp g cross join (select ${now}::timestamptz as at) now
    where g.vo = ${vo} and ${which}`,
  ))!.n

export interface Member {
  readonly id: number
  readonly uuid: string
  readonly username: string
  readonly since: Date
  readonly until: Date | null
}

/** Removed people are few, so leaving them out costs little. */
const present = (
  groupId: number,
  now: Date,
) => sql`m.grp_id = ${groupId} and (m.until is null or m.until > ${now})
  and not exists (select 1 from account gone where gone.id = m.account_id and gone.status = 'DELETED')`

/** In the order in which they were made known to the grid: pages stay in place while people come. */
export const selectMembers = (db: Db, groupId: number, { offset, limit }: Page, now: Date) =>
  rows(
    db,
    sql<Member>`select a.id, a.uuid, a.name as username, part.since, part.until
    from (select m.account_id, m.since, m.until from membership m where ${present(groupId, now)}
      order by m.account_id offset ${offset} limit ${limit}) part
    join account a on a.id = part.account_id order by part.account_id`,
  )

export const countMembers = async (db: Db, groupId: number, now: Date): Promise<number> =>
  (await row(
    db,
    sql<{ n: number }>`select count(*)::int as n from membership m where ${present(groupId, now)}`,
  ))!.n

export const selectNamedMembers = (
  db: Db,
  groupId: number,
  find: string,
  { offset, limit }: Page,
  now: Date,
) =>
  rows(
    db,
    sql<Member>`select a.id, a.uuid, a.name as username, m.since, m.until
    from membership m join account a on a.id = m.account_id
    where ${present(groupId, now)} and position(${find} in a.name) > 0 order by a.name offset ${offset} limit ${limit}`,
  )

export const countNamedMembers = async (db: Db, groupId: number, find: string, now: Date): Promise<number> =>
  (await row(
    db,
    sql<{ n: number }>`select count(*)::int as n from membership m join account a on a.id = m.account_id
    where ${present(groupId, now)} and position(${find} in a.name) > 0`,
  ))!.n

export interface CountedGroup {
  readonly id: string
  readonly path: string
  readonly description: string
  readonly optional: boolean
  readonly role: boolean
  readonly members: number
}

export const selectTree = (db: Db, vo: string, now: Date) =>
  rows(
    db,
    sql<CountedGroup>`select g.uuid as id, g.path, g.description, g.optional, g.role, coalesce(n.members, 0) as members
    from grp g left join (
      select m.grp_id, count(*)::int as members from membership m join account a on a.id = m.account_id
      where a.vo = ${vo} and a.status <> 'DELETED' and (m.until is null or m.until > ${now}) group by m.grp_id
    ) n on n.grp_id = g.id
    where g.vo = ${vo} order by string_to_array(g.path, '/') collate "C"`,
  )

export const updateProfile = (
  db: Db,
  id: number,
  c: { givenName?: string | undefined; familyName?: string | undefined; institute?: string | undefined },
  now: Date,
) =>
  affected(
    db,
    sql`update account set given_name = coalesce(${c.givenName ?? null}, given_name),
      family_name = coalesce(${c.familyName ?? null}, family_name), institute = coalesce(${c.institute ?? null}, institute),
      updated_at = ${now} where id = ${id}`,
  )

/** A membership that goes on again ends the ending, as far as it is not removed. */
export const updateEndTime = (db: Db, id: number, endTime: Date | null, now: Date) =>
  row(
    db,
    sql<{ revived: boolean }>`with before as (select id, ending from account where id = ${id} for update)
    update account a set end_time = ${endTime}, updated_at = ${now},
      status = case when live.again then 'ACTIVE' else a.status end,
      status_reason = case when live.again then '' else a.status_reason end,
      suspended_at = case when live.again then null else a.suspended_at end,
      ending = case when live.again then null else a.ending end,
      ending_since = case when live.again then null else a.ending_since end
    from before, lateral (select before.ending is not null and before.ending <> 'REMOVED'
      and (${endTime}::timestamptz is null or ${endTime} > ${now}) as again) live
    where a.id = before.id returning live.again as revived`,
  )

export const dropPastEnd = (db: Db, id: number, now: Date) =>
  affected(db, sql`update account set end_time = null where id = ${id} and end_time <= ${now}`)

/** Replaces the addresses; one that stays keeps its verification. */
export async function putEmails(
  db: Db,
  id: number,
  list: readonly Omit<Email, 'verifiedAt'>[],
): Promise<void> {
  const wanted = JSON.stringify(list)
  await affected(
    db,
    sql`delete from email where account_id = ${id} and lower(address) not in (
      select lower(address) from jsonb_to_recordset(${wanted}::jsonb) as w(address text))`,
  )
  await affected(db, sql`update email set is_primary = false where account_id = ${id} and is_primary`)
  await affected(
    db,
    sql`insert into email (account_id, address, is_primary)
    select ${id}, address, "primary" from jsonb_to_recordset(${wanted}::jsonb) as w(address text, "primary" boolean)
    on conflict (account_id, lower(address)) do update set address = excluded.address, is_primary = excluded.is_primary`,
  )
}

export const verifyEmail = (db: Db, id: number, now: Date) =>
  affected(
    db,
    sql`update email set verified_at = ${now} where account_id = ${id} and is_primary and verified_at is null`,
  )

/** Addresses nobody was asked about yet get a link each, by the digest of its secret. */
export const askAboutEmails = (
  db: Db,
  id: number,
  links: readonly { address: string; digest: string }[],
  now: Date,
) =>
  rows(
    db,
    sql<{ address: string }>`update email m set confirmation = decode(w.digest, 'hex'), asked_at = ${now}
    from jsonb_to_recordset(${JSON.stringify(links)}::jsonb) as w(address text, digest text)
    where m.account_id = ${id} and m.address = w.address and m.verified_at is null and m.asked_at is null
    returning m.address`,
  )

/** The link of a mail about an address was used: only the first time, and only one asked for after `since`, counts. */
export const confirmEmail = (db: Db, vo: string, digest: Buffer, since: Date, now: Date) =>
  row(
    db,
    sql<{ username: string; address: string }>`update email m set verified_at = ${now}, confirmation = null
    from account a where a.id = m.account_id and a.vo = ${vo} and a.status not in ('DELETED', 'PENDING')
      and m.confirmation = ${digest} and m.asked_at > ${since} returning a.name as username, m.address`,
  )

/** Names of other people of the VO who use one of these addresses. */
export const usersOfEmails = (db: Db, vo: string, addresses: readonly string[], except: number | null) =>
  rows(
    db,
    sql<{ username: string; address: string }>`select a.name as username, e.address from email e
    join account a on a.id = e.account_id
    where lower(e.address) = any(${addresses.map((a) => a.toLowerCase())}::text[]) and a.vo = ${vo}
      and a.kind = 'USER' and a.status <> 'DELETED' and a.id is distinct from ${except}`,
  )

/** One at a time may take an address in this VO until the end of the transaction. */
export const holdEmails = (db: Db, vo: string, addresses: readonly string[]) =>
  rows(
    db,
    sql`select pg_advisory_xact_lock(hashtextextended(key, 7308326)) from (
      select distinct ${vo} || ' ' || lower(address) as key from unnest(${addresses as string[]}::text[]) address
      order by key) keys`,
  )
