import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'

export const insertGroups = (
  db: Db,
  vo: string,
  list: readonly { path: string; optional?: boolean }[],
  now: Date,
) =>
  affected(
    db,
    sql`insert into grp (vo, path, optional, created_at) select ${vo}, path, coalesce(optional, false), ${now}
    from jsonb_to_recordset(${JSON.stringify(list)}::jsonb) as g(path text, optional boolean)
    where exists (select 1 from vo where id = ${vo}) on conflict do nothing`,
  )

export const groupOf = (db: Db, vo: string, path: string) =>
  row(db, sql<{ id: number }>`select id from grp where vo = ${vo} and path = ${path}`)

export const insertMembers = (db: Db, groupId: number, ids: readonly number[], now: Date) =>
  affected(
    db,
    sql`insert into membership (account_id, grp_id, since) select a.id, g.id, ${now}
    from grp g join account a on a.vo = g.vo
    where g.id = ${groupId} and a.id = any(${ids as number[]}::int[]) on conflict do nothing`,
  )

export const dropMembers = (db: Db, groupId: number, ids: readonly number[]) =>
  affected(
    db,
    sql`delete from membership where grp_id = ${groupId} and account_id = any(${ids as number[]}::int[])`,
  )

/** The groups that count without being asked for. */
export const selectGroups = (db: Db, ids: readonly number[], now: Date) =>
  rows(
    db,
    sql<{ id: number; path: string }>`select m.account_id as id, g.path
    from membership m join grp g on g.id = m.grp_id
    where m.account_id = any(${ids as number[]}::int[]) and not g.optional and (m.until is null or m.until > ${now})
    order by g.path`,
  )
