import { affected, type Db, rows, sql } from '../../kernel/database.ts'
import type { Rule } from './decide.ts'

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
