import { affected, type Db, row, rows, sql } from '../../kernel/database.ts'
import type { Rule } from './decide.ts'

export interface NewRule extends Omit<Rule, 'vo'> {
  /** Why the rule is there. */
  readonly comment: string
}

export interface StoredRule extends Rule {
  readonly id: number
  readonly comment: string
}

const COLUMNS = sql`id, vo, subject_kind as "subjectKind", subject, action, resource, effect, comment`

export const insertRules = (db: Db, rules: readonly Rule[]) =>
  affected(
    db,
    sql`insert into authz_rule (vo, subject_kind, subject, action, resource, effect)
    select vo, "subjectKind", subject, action, resource, effect from jsonb_to_recordset(${JSON.stringify(rules)}::jsonb)
      as r(vo text, "subjectKind" text, subject text, action text, resource text, effect text) on conflict do nothing`,
  )

export const insertRule = (db: Db, vo: string, rule: NewRule) =>
  row(
    db,
    sql<StoredRule>`insert into authz_rule (vo, subject_kind, subject, action, resource, effect, comment)
    values (${vo}, ${rule.subjectKind}, ${rule.subject}, ${rule.action}, ${rule.resource}, ${rule.effect}, ${rule.comment})
    on conflict do nothing returning ${COLUMNS}`,
  )

export const dropRule = (db: Db, vo: string, id: number) =>
  affected(db, sql`delete from authz_rule where vo = ${vo} and id = ${id}`)

export const rulesOf = (db: Db, vo: string) =>
  rows(db, sql<StoredRule>`select ${COLUMNS} from authz_rule where vo = ${vo} order by id`)

export const selectRules = (db: Db) =>
  rows(db, sql<StoredRule>`select ${COLUMNS} from authz_rule order by id`)
