import type { RawBuilder } from 'kysely'
import { sql } from '../../kernel/database.ts'
import { invalidFilter } from '../errors.ts'
import type { Comparison, Condition } from './condition.ts'

export type Predicate = RawBuilder<unknown>

/** `word`: compared without regard to case; `name`: stored in lower case; the others as they are. */
type Kind = 'word' | 'name' | 'text' | 'uuid' | 'flag' | 'time'

interface Column {
  readonly kind: Kind
  readonly sql: Predicate
}

export interface Fields {
  readonly columns: Readonly<Record<string, Column>>
  readonly lists?: Readonly<
    Record<string, { readonly from: Predicate; readonly columns: Readonly<Record<string, Column>> }>
  >
}

const column = (kind: Kind, text: string): Column => ({ kind, sql: sql.raw(text) })
const LABELS = {
  prefix: column('text', 'x.prefix'),
  name: column('text', 'x.name'),
  value: column('text', 'x.value'),
}
const ATTRIBUTES = { name: column('text', 'x.name'), value: column('text', 'x.value') }

/** What can be asked of an account `a`. */
export const personFields: Fields = {
  columns: {
    id: column('uuid', 'a.uuid'),
    username: column('name', 'a.name'),
    givenName: column('word', 'a.given_name'),
    familyName: column('word', 'a.family_name'),
    fullName: column('word', `concat_ws(' ', nullif(a.given_name, ''), nullif(a.family_name, ''))`),
    institute: column('word', 'a.institute'),
    active: column('flag', `a.status = 'ACTIVE'`),
    service: column('flag', `a.kind = 'SERVICE'`),
    status: column('text', 'a.status'),
    ending: column('text', 'a.ending'),
    createdAt: column('time', 'a.created_at'),
    updatedAt: column('time', 'a.updated_at'),
    endTime: column('time', 'a.end_time'),
    signedAt: column(
      'time',
      '(select max(s.signed_at) from policy_signature s where s.account_id = a.id and s.withdrawn_at is null)',
    ),
  },
  lists: {
    emails: {
      from: sql.raw('email x where x.account_id = a.id'),
      columns: {
        address: column('word', 'x.address'),
        primary: column('flag', 'x.is_primary'),
        verified: column('flag', 'x.verified_at is not null'),
      },
    },
    labels: { from: sql.raw('label_seen x where x.account_id = a.id'), columns: LABELS },
    attributes: { from: sql.raw('generic_attribute x where x.account_id = a.id'), columns: ATTRIBUTES },
    policyAttributes: {
      from: sql.raw('account_attribute x where x.account_id = a.id'),
      columns: { name: column('text', 'x.key'), value: column('text', 'x.value') },
    },
    certificates: {
      from: sql.raw(`certificate x where x.account_id = a.id and x.state <> 'UNLINKED'`),
      columns: {
        subjectKey: column('text', 'x.subject_key'),
        issuerKey: column('text', 'x.issuer_key'),
        subject: column('word', 'x.subject_rfc'),
        issuer: column('word', 'x.issuer_rfc'),
      },
    },
    groups: {
      from: sql.raw(
        'membership m join grp x on x.id = m.grp_id where m.account_id = a.id and (m.until is null or m.until > now.at)',
      ),
      columns: { id: column('uuid', 'x.uuid'), path: column('text', 'x.path') },
    },
    managedGroups: {
      from: sql.raw('group_manager m join grp x on x.id = m.grp_id where m.account_id = a.id'),
      columns: { id: column('uuid', 'x.uuid'), path: column('text', 'x.path') },
    },
  },
}

/** What can be asked of a group `g`. */
export const groupFields: Fields = {
  columns: {
    id: column('uuid', 'g.uuid'),
    path: column('text', 'g.path'),
    description: column('word', 'g.description'),
    optional: column('flag', 'g.optional'),
    role: column('flag', 'g.role'),
    createdAt: column('time', 'g.created_at'),
    updatedAt: column('time', 'g.updated_at'),
  },
  lists: {
    labels: { from: sql.raw('label_seen x where x.grp_id = g.id'), columns: LABELS },
    attributes: { from: sql.raw('generic_attribute x where x.grp_id = g.id'), columns: ATTRIBUTES },
    members: {
      from: sql.raw(
        'membership m join account x on x.id = m.account_id where m.grp_id = g.id and (m.until is null or m.until > now.at)',
      ),
      columns: { id: column('uuid', 'x.uuid'), username: column('name', 'x.name') },
    },
  },
}

const DEEPEST = 30

/** A condition as SQL over `fields`; the statement has `now.at` at hand. Throws invalid_filter. */
export function predicate(condition: Condition, fields: Fields, depth = 0): Predicate {
  if (depth > DEEPEST) throw invalidFilter('The filter is nested too deeply.')
  if ('all' in condition) return joined(condition.all, fields, 'and', depth)
  if ('any' in condition) return joined(condition.any, fields, 'or', depth)
  if ('not' in condition) return sql`not coalesce(${predicate(condition.not, fields, depth + 1)}, false)`
  if ('some' in condition) {
    const list = own(fields.lists, condition.some)
    if (!list) throw invalidFilter(`There is no list "${condition.some.slice(0, 60)}" to filter by.`)
    return sql`exists (select 1 from ${list.from} and ${predicate(condition.where, list, depth + 1)})`
  }
  const found = own(fields.columns, condition.field)
  if (!found) throw invalidFilter(`There is nothing named "${condition.field.slice(0, 60)}" to filter by.`)
  return comparison(condition, found)
}

function joined(parts: readonly Condition[], fields: Fields, word: 'and' | 'or', depth: number): Predicate {
  if (parts.length === 0) return word === 'and' ? sql`true` : sql`false`
  const predicates = parts.map((part) => predicate(part, fields, depth + 1))
  return sql`(${sql.join(predicates, sql.raw(` ${word} `))})`
}

function comparison({ field, test, value }: Comparison, { kind, sql: what }: Column): Predicate {
  if (test === 'pr')
    return kind === 'flag'
      ? sql`${what}`
      : kind === 'time' || kind === 'uuid'
        ? sql`${what} is not null`
        : sql`coalesce(${what}, '') <> ''`
  if (test === 'ne')
    return sql`not coalesce(${comparison({ field, test: 'eq', value: value ?? null }, { kind, sql: what })}, false)`
  if (value === null || value === undefined) {
    if (test === 'eq') return sql`${what} is null`
    throw invalidFilter(`"${field}" cannot be compared with nothing.`)
  }
  if (kind === 'flag') {
    const flag =
      value === true || value === 'true' ? true : value === false || value === 'false' ? false : null
    if (flag === null || test !== 'eq') throw invalidFilter(`"${field}" is true or false.`)
    return sql`(${what}) = ${flag}`
  }
  if (kind === 'time') {
    const time = new Date(typeof value === 'boolean' ? Number.NaN : value)
    const order = ORDER[test]
    if (Number.isNaN(time.getTime()) || !order) throw invalidFilter(`"${field}" is compared with a time.`)
    return sql`${what} ${order} ${time}::timestamptz`
  }
  const text = String(value).normalize('NFC')
  if (text.includes('\0')) return sql`false`
  if (kind === 'uuid') {
    if (test !== 'eq') throw invalidFilter(`"${field}" can only be compared as a whole (eq, ne).`)
    return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
      ? sql`${what} = ${text}::uuid`
      : sql`false`
  }
  const left = kind === 'word' ? sql`lower(${what})` : what
  const right = kind === 'text' ? text : text.toLowerCase()
  const order = ORDER[test]
  if (order) return test === 'eq' ? sql`${left} = ${right}` : sql`${left} collate "C" ${order} ${right}`
  if (test === 'sw') return sql`starts_with(${left}, ${right})`
  if (test === 'ew') return sql`right(${left}, ${[...right].length}) = ${right}`
  return sql`position(${right} in ${left}) > 0`
}

const ORDER: Readonly<Partial<Record<Comparison['test'], Predicate>>> = {
  eq: sql.raw('='),
  gt: sql.raw('>'),
  ge: sql.raw('>='),
  lt: sql.raw('<'),
  le: sql.raw('<='),
}

function own<T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return table && Object.hasOwn(table, name) ? table[name] : undefined
}
