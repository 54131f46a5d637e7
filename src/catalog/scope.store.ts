import { type Db, row, rows, sql } from '../kernel/index.ts'
import type { Scope } from './types.ts'

const COLUMNS = sql`id, vo, name, account_id as "accountId", status, created_at as "createdAt"`

export const insertScope = (db: Db, input: { vo: string; now: Date; name: string; accountId: number }) =>
  row(
    db,
    sql<Scope>`insert into scope (vo, name, account_id, created_at)
      values (${input.vo}, ${input.name}, ${input.accountId}, ${input.now})
      on conflict (vo, name) do nothing returning ${COLUMNS}`,
  )

export const selectScopes = (db: Db, input: { vo: string; accountId?: number; names?: readonly string[] }) =>
  rows(
    db,
    sql<Scope>`select ${COLUMNS} from scope
      where vo = ${input.vo}
        and (${input.accountId ?? null}::int is null or account_id = ${input.accountId ?? null}::int)
        and (${input.names ?? null}::text[] is null or name = any(${input.names ?? null}::text[]))
        and status <> 'DELETED' order by name`,
  )

/** Names of an account's newest scopes whose directory holds no scope of somebody else. */
export const selectSoleScopes = (db: Db, input: { vo: string; accountId: number; most: number }) =>
  rows(
    db,
    sql<{ name: string }>`select name from scope s
      where vo = ${input.vo} and account_id = ${input.accountId} and status <> 'DELETED'
        and not (name ~ '^(user|group)' and exists (select 1 from scope other
          where other.vo = s.vo and other.account_id <> s.account_id and starts_with(other.name, s.name || '.')))
      order by created_at desc, id desc limit ${input.most}`,
  )

export const updateScopeOwner = (db: Db, input: { vo: string; name: string; accountId: number }) =>
  row(
    db,
    sql<{ id: number }>`update scope set account_id = ${input.accountId}
      where vo = ${input.vo} and name = ${input.name} returning id`,
  )
