import { affected, type Db, row, sql } from '../../kernel/database.ts'
import type { Client } from './client.ts'

export const putClient = (db: Db, c: Omit<Client, 'enabled'> & { hash: string | null }, now: Date) =>
  affected(
    db,
    sql`insert into oauth_client (id, vo, account_id, secret_hash, grants, scopes, audiences, created_at)
    values (${c.id}, ${c.vo}, ${c.accountId}, ${c.hash}, ${c.grants as string[]}, ${c.scopes as string[]}, ${c.audiences as string[]}, ${now})
    on conflict (id) do update set scopes = excluded.scopes, audiences = excluded.audiences, grants = excluded.grants,
      account_id = excluded.account_id, secret_hash = coalesce(excluded.secret_hash, oauth_client.secret_hash)
    where oauth_client.vo = excluded.vo`,
  )

export const selectClient = (db: Db, vo: string, id: string) =>
  row(
    db,
    sql<
      Client & { hash: string | null }
    >`select id, vo, account_id as "accountId", grants, scopes, audiences, enabled,
    secret_hash as hash from oauth_client where vo = ${vo} and id = ${id}`,
  )

export const updateEnabled = (db: Db, vo: string, id: string, enabled: boolean) =>
  affected(db, sql`update oauth_client set enabled = ${enabled} where vo = ${vo} and id = ${id}`)
