import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'

export interface Label {
  /** Empty when there is none. */
  readonly prefix: string
  readonly name: string
  readonly value: string
}

export interface Attribute {
  readonly name: string
  readonly value: string
}

export type OwnerKind = 'account' | 'group' | 'client'
export interface Owner {
  readonly kind: OwnerKind
  readonly id: number
}

const COLUMN = { account: sql.raw('account_id'), group: sql.raw('grp_id'), client: sql.raw('client_id') }

/** VO and name of an owner: account name, group path, client id. */
export const selectOwner = (db: Db, { kind, id }: Owner) =>
  row(
    db,
    kind === 'account'
      ? sql<{ vo: string; name: string }>`select vo, name from account where id = ${id}`
      : kind === 'group'
        ? sql<{ vo: string; name: string }>`select vo, path as name from grp where id = ${id}`
        : sql<{ vo: string; name: string }>`select vo, id as name from oauth_client where number = ${id}`,
  )

export const selectLabels = (db: Db, kind: OwnerKind, ids: readonly number[]) =>
  rows(
    db,
    sql<Label & { owner: number }>`select ${COLUMN[kind]} as owner, prefix, name, value from label_seen
    where ${COLUMN[kind]} = any(${ids as number[]}::int[]) order by prefix, name`,
  )

export const putLabel = (db: Db, { kind, id }: Owner, { prefix, name, value }: Label) =>
  affected(
    db,
    sql`insert into label (${COLUMN[kind]}, prefix, name, value) values (${id}, ${prefix}, ${name}, ${value})
    on conflict (account_id, grp_id, client_id, prefix, name) do update set value = excluded.value`,
  )

export const dropLabel = (db: Db, { kind, id }: Owner, prefix: string, name: string) =>
  affected(db, sql`delete from label where ${COLUMN[kind]} = ${id} and prefix = ${prefix} and name = ${name}`)

export const selectAttributes = (db: Db, kind: 'account' | 'group', ids: readonly number[]) =>
  rows(
    db,
    sql<Attribute & { owner: number }>`select ${COLUMN[kind]} as owner, name, value from generic_attribute
    where ${COLUMN[kind]} = any(${ids as number[]}::int[]) order by name`,
  )

export const putAttribute = (db: Db, { kind, id }: Owner, { name, value }: Attribute) =>
  affected(
    db,
    sql`insert into generic_attribute (${COLUMN[kind]}, name, value) values (${id}, ${name}, ${value})
    on conflict (account_id, grp_id, name) do update set value = excluded.value`,
  )

export const dropAttribute = (db: Db, { kind, id }: Owner, name: string) =>
  affected(db, sql`delete from generic_attribute where ${COLUMN[kind]} = ${id} and name = ${name}`)
