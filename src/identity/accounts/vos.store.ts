import { affected, type Db, rows, sql } from '../../kernel/database.ts'

export interface Vo {
  readonly id: string
  readonly title: string
  /** Where the VO's storage area begins. */
  readonly storagePrefix: string
}

export const insertVo = (db: Db, vo: { id: string; title: string; prefix: string }, now: Date) =>
  affected(
    db,
    sql`insert into vo (id, title, storage_prefix, created_at)
    values (${vo.id}, ${vo.title}, ${vo.prefix}, ${now}) on conflict do nothing`,
  )

export const selectVos = (db: Db) =>
  rows(db, sql<Vo>`select id, title, storage_prefix as "storagePrefix" from vo order by id`)
