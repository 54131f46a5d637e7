import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { ExchangePolicy } from './exchange-policy.ts'
import type { ScopePolicy } from './scope-policy.ts'

/** A policy with its scopes as they are written. */
export type WrittenScopePolicy = Omit<ScopePolicy, 'scopes'> & { readonly scopes: readonly string[] }

export const selectScopePolicies = (db: Db, vo: string) =>
  rows(
    db,
    sql<WrittenScopePolicy>`select id, vo, subject_kind as "subjectKind", subject, effect, matching, scopes, description
    from scope_policy where vo = ${vo} order by subject_kind, subject, effect, id`,
  )

export const putScopePolicies = (db: Db, list: readonly WrittenScopePolicy[]) =>
  affected(
    db,
    sql`insert into scope_policy as p (id, vo, subject_kind, subject, effect, matching, scopes, description)
    select id, vo, "subjectKind", subject, effect, matching, array(select jsonb_array_elements_text(scopes)), description
    from jsonb_to_recordset(${JSON.stringify(list)}::jsonb) as n(id uuid, vo text, "subjectKind" text, subject text,
      effect text, matching text, scopes jsonb, description text)
    on conflict (id) do update set subject_kind = excluded.subject_kind, subject = excluded.subject,
      effect = excluded.effect, matching = excluded.matching, scopes = excluded.scopes, description = excluded.description
    where p.vo = excluded.vo`,
  )

export const deleteScopePolicy = (db: Db, vo: string, id: string) =>
  affected(db, sql`delete from scope_policy where vo = ${vo} and id = ${id}`)

const EXCHANGE =
  sql.raw(`id, vo, origin, destination, subject_audiences as "subjectAudiences", scopes, audiences,
  refresh, description`)

export const selectExchangePolicies = (db: Db, vo: string) =>
  rows(
    db,
    sql<ExchangePolicy>`select ${EXCHANGE} from exchange_policy where vo = ${vo} order by destination, origin`,
  )

export const putExchangePolicy = (db: Db, p: ExchangePolicy) =>
  row(
    db,
    sql<ExchangePolicy>`insert into exchange_policy as e (id, vo, origin, destination, subject_audiences, scopes, audiences, refresh, description)
    values (${p.id}, ${p.vo}, ${p.origin}, ${p.destination}, ${p.subjectAudiences as string[]}, ${p.scopes as string[]},
      ${p.audiences as string[]}, ${p.refresh}, ${p.description})
    on conflict (vo, origin, destination) do update set subject_audiences = excluded.subject_audiences,
      scopes = excluded.scopes, audiences = excluded.audiences, refresh = excluded.refresh, description = excluded.description
    returning ${EXCHANGE}`,
  )

export const deleteExchangePolicy = (db: Db, vo: string, id: string) =>
  affected(db, sql`delete from exchange_policy where vo = ${vo} and id = ${id}`)
