import { type Comparison, type Condition, keyOf, nameFromText } from '../../identity/index.ts'
import { badFilter } from './errors.ts'
import { type Filter, withoutSchema } from './filter.ts'
import { ENTERPRISE, GROUP, INDIGO_GROUP, INDIGO_USER, USER } from './schemas.ts'

type Test = Pick<Comparison, 'test' | 'value'>
type Question = (test: Test) => Condition

const field =
  (name: string): Question =>
  (test) => ({ field: name, ...test })
const some =
  (list: string, name: string): Question =>
  ({ test, value }) =>
    // "Not equal" asks that no element is equal, not that some element differs.
    test === 'ne'
      ? { not: { some: list, where: { field: name, test: 'eq', ...(value !== undefined && { value }) } } }
      : { some: list, where: { field: name, test, ...(value !== undefined && { value }) } }
/** An attribute that has the same value everywhere. */
const constant =
  (fixed: string): Question =>
  ({ test, value }) => {
    const equal = String(value).toLowerCase() === fixed
    const yes = { eq: equal, ne: !equal, pr: true }[test as string]
    if (yes === undefined) throw badFilter(`It is always "${fixed}"; ask with eq.`)
    return yes ? { all: [] } : { any: [] }
  }
/** Groups are shown without their first slash. */
const slashed =
  (question: Question): Question =>
  ({ test, value }) => {
    const begins = test !== 'co' && test !== 'ew' && typeof value === 'string'
    return question({ test, ...(value !== undefined && { value: begins ? `/${value}` : value }) })
  }

/** Names are compared by what they mean, however they are written. */
const named =
  (key: string, plain: string): Question =>
  ({ test, value }) => {
    if (typeof value !== 'string' || (test !== 'eq' && test !== 'ne'))
      return some('certificates', plain)({ test, ...(value !== undefined && { value }) })
    return some('certificates', key)({ test, value: keyOf(nameFromText(value)) })
  }

type Questions = Readonly<Record<string, Question>>

const META: Questions = {
  id: field('id'),
  'meta.created': field('createdAt'),
  'meta.lastmodified': field('updatedAt'),
}
const LABELS: Questions = {
  labels: some('labels', 'name'),
  'labels.prefix': some('labels', 'prefix'),
  'labels.name': some('labels', 'name'),
  'labels.value': some('labels', 'value'),
}

const USERS: Questions = {
  ...META,
  ...LABELS,
  username: field('username'),
  displayname: field('fullName'),
  'name.formatted': field('fullName'),
  'name.givenname': field('givenName'),
  'name.familyname': field('familyName'),
  active: field('active'),
  emails: some('emails', 'address'),
  'emails.value': some('emails', 'address'),
  'emails.primary': some('emails', 'primary'),
  'emails.type': constant('work'),
  groups: some('groups', 'id'),
  'groups.value': some('groups', 'id'),
  'groups.display': slashed(some('groups', 'path')),
  organization: field('institute'),
  endtime: field('endTime'),
  aupsignaturetime: field('signedAt'),
  serviceaccount: field('service'),
  'certificates.subjectdn': named('subjectKey', 'subject'),
  'certificates.issuerdn': named('issuerKey', 'issuer'),
  attributes: some('attributes', 'name'),
  'attributes.name': some('attributes', 'name'),
  'attributes.value': some('attributes', 'value'),
}

const GROUPS: Questions = {
  ...META,
  ...LABELS,
  displayname: slashed(field('path')),
  description: field('description'),
  members: some('members', 'id'),
  'members.value': some('members', 'id'),
  'members.display': some('members', 'username'),
}

/** What stands inside the brackets of `emails[…]`, by list. */
const ELEMENTS: Readonly<Record<string, { readonly list: string; readonly fields: Questions }>> = {
  emails: {
    list: 'emails',
    fields: { value: field('address'), primary: field('primary'), type: constant('work') },
  },
  labels: {
    list: 'labels',
    fields: { prefix: field('prefix'), name: field('name'), value: field('value') },
  },
  attributes: { list: 'attributes', fields: { name: field('name'), value: field('value') } },
  groups: { list: 'groups', fields: { value: field('id'), display: slashed(field('path')) } },
  members: { list: 'members', fields: { value: field('id'), display: field('username') } },
}

export const userCondition = (filter: Filter): Condition =>
  condition(filter, USERS, [USER, INDIGO_USER, ENTERPRISE])

export const groupCondition = (filter: Filter): Condition => condition(filter, GROUPS, [GROUP, INDIGO_GROUP])

function condition(filter: Filter, questions: Questions, schemas: readonly string[]): Condition {
  if (filter.op === 'and') return { all: filter.of.map((part) => condition(part, questions, schemas)) }
  if (filter.op === 'or') return { any: filter.of.map((part) => condition(part, questions, schemas)) }
  if (filter.op === 'not') return { not: condition(filter.of, questions, schemas) }
  const { schema, path } = withoutSchema(filter.path)
  const known = schema === null || schemas.includes(schema)
  if (filter.op === 'some') {
    const element = known && Object.hasOwn(ELEMENTS, path) ? ELEMENTS[path] : undefined
    if (!element || !Object.hasOwn(questions, path)) throw unknown(filter.path)
    return { some: element.list, where: condition(filter.of, element.fields, []) }
  }
  const question = known && Object.hasOwn(questions, path) ? questions[path] : undefined
  if (!question) throw unknown(filter.path)
  return question(filter.op === 'pr' ? { test: 'pr' } : { test: filter.op, value: filter.value })
}

const unknown = (path: string) =>
  badFilter(`One cannot filter by "${path.slice(0, 80)}"; see the schemas for what there is.`)
