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

/** Active people whom one of the rules names, themselves or by a group or an attribute; rules for everyone name nobody. */
export const peopleNamed = (db: Db, vo: string, rules: readonly Rule[], now: Date) =>
  rows(
    db,
    sql<{ id: number; name: string }>`with named as (
      select "subjectKind" as kind, subject, split_part(subject, '=', 1) as key, position('=' in subject) > 0 as valued,
        lower(substr(subject, position('=' in subject) + 1)) as value
      from jsonb_to_recordset(${JSON.stringify(rules)}::jsonb) as r("subjectKind" text, subject text))
    select a.id, a.name from account a
    where a.vo = ${vo} and a.status = 'ACTIVE' and a.kind <> 'SERVICE' and (
      exists (select from named n where n.kind = 'account' and n.subject = a.name)
      or exists (select from named n join grp g on g.vo = a.vo and g.path = n.subject
        join membership m on m.grp_id = g.id where n.kind = 'group' and m.account_id = a.id
          and (m.until is null or m.until > ${now}))
      or exists (select from named n join account_attribute t on t.key = n.key where n.kind = 'attribute'
        and t.account_id = a.id and (not n.valued or lower(t.value) = n.value)))
    order by a.name`,
  )

export const selectRules = (db: Db) =>
  rows(db, sql<StoredRule>`select ${COLUMNS} from authz_rule order by id`)
