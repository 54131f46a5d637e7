import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { Group, Membership, NewGroup } from './group.ts'

const GROUP =
  sql.raw(`g.id, g.uuid, g.vo, g.path, g.description, g.optional, g.role, g.created_at as "createdAt",
  g.updated_at as "updatedAt", (select p.uuid from grp p where p.id = g.parent) as "parentUuid"`)

/** Groups below `path`, by the range of their names: `0` is the character after `/`. */
const below = (path: string) => sql`g.path collate "C" > ${`${path}/`} and g.path collate "C" < ${`${path}0`}`

export const insertRoot = (db: Db, vo: string, uuid: string, now: Date) =>
  affected(
    db,
    sql`insert into grp (vo, path, uuid, created_at, updated_at) values (${vo}, ${`/${vo}`}, ${uuid}, ${now}, ${now})
    on conflict do nothing`,
  )

/** One level of the tree; a group whose parent is not there is left out. */
export const insertGroups = (
  db: Db,
  vo: string,
  list: readonly (NewGroup & { uuid: string; parent: string })[],
  now: Date,
) =>
  rows(
    db,
    sql<Group>`insert into grp as g (vo, path, uuid, parent, description, optional, role, created_at, updated_at)
    select ${vo}, n.path, n.uuid, p.id, coalesce(n.description, ''), coalesce(n.optional, false) or coalesce(n.role, false),
      coalesce(n.role, false), ${now}, ${now}
    from jsonb_to_recordset(${JSON.stringify(list)}::jsonb)
      as n(path text, uuid uuid, parent text, description text, optional boolean, role boolean)
    join grp p on p.vo = ${vo} and p.path collate "C" = n.parent
    on conflict do nothing returning ${GROUP}`,
  )

export const groupsByPath = (db: Db, vo: string, paths: readonly string[]) =>
  rows(
    db,
    sql<Group>`select ${GROUP} from grp g where g.vo = ${vo} and g.path collate "C" = any(${paths as string[]}::text[])`,
  )

export const groupsByUuid = (db: Db, vo: string, uuids: readonly string[]) =>
  rows(
    db,
    sql<Group>`select ${GROUP} from grp g where g.uuid = any(${uuids as string[]}::uuid[]) and g.vo = ${vo}`,
  )

export const childrenOf = (db: Db, groupId: number) =>
  rows(db, sql<Group>`select ${GROUP} from grp g where g.parent = ${groupId} order by g.path`)

export const updateGroup = (
  db: Db,
  id: number,
  c: { description?: string | undefined; optional?: boolean | undefined; role?: boolean | undefined },
  now: Date,
) =>
  row(
    db,
    sql<Group>`update grp g set description = coalesce(${c.description ?? null}, description),
      role = coalesce(${c.role ?? null}, role),
      optional = coalesce(${c.optional ?? null}, optional) or coalesce(${c.role ?? null}, role), updated_at = ${now}
    where id = ${id} returning ${GROUP}`,
  )

export async function deleteGroup(db: Db, id: number): Promise<void> {
  await affected(db, sql`delete from membership where grp_id = ${id}`)
  await affected(db, sql`delete from grp where id = ${id}`)
}

/** One change of somebody's memberships at a time: the tree above and below must fit when both are done. */
export const holdAccounts = (db: Db, ids: readonly number[]) =>
  rows(
    db,
    sql`select id from account where id = any(${ids as number[]}::int[]) order by id for no key update`,
  )

/**
 * Members of the group and of all above it. The group itself gets exactly `until`; those above keep whatever lasts
 * longer, those below end no later. Answers the accounts that were not in the group before.
 */
export async function insertMembers(
  db: Db,
  group: Pick<Group, 'id' | 'vo' | 'path'>,
  ids: readonly number[],
  until: Date | null,
  origin: string,
  now: Date,
): Promise<number[]> {
  const list = ids as number[]
  const names = group.path.split('/').slice(1, -1)
  const above = names.map((_, i) => `/${names.slice(0, i + 1).join('/')}`)
  await affected(
    db,
    sql`insert into membership as m (account_id, grp_id, since, until, origin)
    select account_id, g.id, ${now}, ${until}::timestamptz, 'subgroup'
    from grp g cross join unnest(${list}::int[]) account_id
    where g.vo = ${group.vo} and g.path collate "C" = any(${above}::text[])
    on conflict (account_id, grp_id) do update set until = excluded.until
      where m.until is not null and (excluded.until is null or excluded.until > m.until)`,
  )
  const added = await rows(
    db,
    sql<{ id: number }>`with before as (
      select account_id from membership where grp_id = ${group.id} and account_id = any(${list}::int[])
        and (until is null or until > ${now})),
    put as (insert into membership as m (account_id, grp_id, since, until, origin)
      select account_id, ${group.id}, ${now}, ${until}::timestamptz, ${origin} from unnest(${list}::int[]) account_id
      on conflict (account_id, grp_id) do update set until = excluded.until, origin = excluded.origin,
        since = case when m.until <= ${now} then excluded.since else m.since end
      returning account_id)
    select account_id as id from put where account_id not in (select account_id from before)`,
  )
  if (until !== null) {
    await affected(
      db,
      sql`update membership m set until = ${until} from grp g where g.id = m.grp_id and g.vo = ${group.vo}
      and ${below(group.path)} and m.account_id = any(${list}::int[]) and (m.until is null or m.until > ${until})`,
    )
  }
  return added.map(({ id }) => id)
}

/** Out of the group and of all below it; answers the accounts that were members. */
export async function dropMembers(
  db: Db,
  group: Pick<Group, 'id' | 'vo' | 'path'>,
  ids: readonly number[],
): Promise<number[]> {
  const dropped = await rows(
    db,
    sql<{ id: number; own: boolean }>`delete from membership m using grp g
    where g.id = m.grp_id and g.vo = ${group.vo} and (g.id = ${group.id} or (${below(group.path)}))
      and m.account_id = any(${ids as number[]}::int[])
    returning m.account_id as id, g.id = ${group.id} as own`,
  )
  return dropped.filter(({ own }) => own).map(({ id }) => id)
}

export const selectMemberships = (db: Db, ids: readonly number[], now: Date) =>
  rows(
    db,
    sql<
      Membership & { id: number }
    >`select m.account_id as id, g.uuid, g.path, g.optional, g.role, m.until, m.since, m.origin
    from membership m join grp g on g.id = m.grp_id
    where m.account_id = any(${ids as number[]}::int[]) and (m.until is null or m.until > ${now})
    order by g.path collate "C"`,
  )

export const insertManagers = (db: Db, groupId: number, ids: readonly number[], now: Date) =>
  affected(
    db,
    sql`insert into group_manager (grp_id, account_id, since)
    select ${groupId}, id, ${now} from unnest(${ids as number[]}::int[]) id on conflict do nothing`,
  )

export const dropManagers = (db: Db, groupId: number, ids: readonly number[]) =>
  affected(
    db,
    sql`delete from group_manager where grp_id = ${groupId} and account_id = any(${ids as number[]}::int[])`,
  )

export const selectManagers = (db: Db, groupIds: readonly number[]) =>
  rows(
    db,
    sql<{ groupId: number; accountId: number }>`select m.grp_id as "groupId", m.account_id as "accountId"
    from group_manager m join account a on a.id = m.account_id
    where m.grp_id = any(${groupIds as number[]}::int[]) and a.status = 'ACTIVE' order by a.name`,
  )

export const selectManaged = (db: Db, ids: readonly number[]) =>
  rows(
    db,
    sql<Group & { manager: number }>`select m.account_id as manager, ${GROUP}
    from group_manager m join grp g on g.id = m.grp_id
    where m.account_id = any(${ids as number[]}::int[]) order by g.path collate "C"`,
  )

/** Active accounts that manage one of the groups somebody is in. */
export const managersOfMember = (db: Db, accountId: number, now: Date) =>
  rows(
    db,
    sql<{ id: number }>`select distinct gm.account_id as id from membership m
    join group_manager gm on gm.grp_id = m.grp_id join account a on a.id = gm.account_id
    where m.account_id = ${accountId} and (m.until is null or m.until > ${now}) and a.status = 'ACTIVE'`,
  )

export const memberIds = (db: Db, groupId: number, now: Date) =>
  rows(
    db,
    sql<{ id: number }>`select account_id as id from membership
    where grp_id = ${groupId} and (until is null or until > ${now})`,
  )
