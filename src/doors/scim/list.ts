import type { Page } from '../../identity/index.ts'
import { badSyntax } from './errors.ts'
import { withoutSchema } from './filter.ts'
import { isObject, type Resource } from './patch.ts'
import { LIST, SCHEMAS, schemaNamed } from './schemas.ts'

export type Query = Readonly<Record<string, unknown>>

const USUAL = 100
const MOST = 1000

/** Which part of a list is asked for: `startIndex` from 1, `count` (RFC 7644 §3.4.2.4). */
export function pageOf(query: Query): Page {
  const number = (name: string, usual: number): number => {
    const text = query[name]
    if (text === undefined || text === '') return usual
    if (!/^-?\d{1,9}$/.test(String(text))) throw badSyntax(`${name} is a whole number.`)
    return Number(text)
  }
  // The standard wants numbers that are too small to count as the smallest.
  const offset = Math.max(1, number('startIndex', 1)) - 1
  const limit = Math.min(Math.max(0, number('count', USUAL)), MOST)
  const descending = String(query.sortDirection ?? query.sortOrder ?? '')
    .toLowerCase()
    .startsWith('desc')
  return { offset, limit, descending }
}

export function listAnswer(total: number, page: Page, resources: readonly Resource[]): Resource {
  return {
    schemas: [LIST],
    totalResults: total,
    itemsPerPage: resources.length,
    startIndex: page.offset + 1,
    Resources: resources,
  }
}

export interface Projection {
  (resource: Resource): Resource
  /** Whether an attribute that is returned only on request was asked for. */
  readonly wants: (attribute: string) => boolean
}

const ALWAYS = ['schemas', 'id']

/** `attributes` and `excludedAttributes` (RFC 7644 §3.9) as a function of a resource. */
export function projection(query: Query): Projection {
  const asked = namesIn(query.attributes)
  const excluded = namesIn(query.excludedAttributes)
  if (asked && excluded) throw badSyntax('Give attributes or excludedAttributes, not both.')
  const project = (resource: Resource): Resource => {
    if (!asked && !excluded) return resource
    return kept(resource, null, (schema, path, isLeaf) => {
      if (asked) return asked.some((one) => touches(one, schema, path, isLeaf))
      return !excluded!.some((one) => one.schema === schema && (one.path === path || one.path === ''))
    })
  }
  const wants = (attribute: string) => asked?.some(({ path }) => path.split('.')[0] === attribute) ?? false
  return Object.assign(project, { wants })
}

interface Named {
  readonly schema: string | null
  readonly path: string
}

function namesIn(value: unknown): Named[] | null {
  const text = Array.isArray(value) ? value.join(',') : value
  if (typeof text !== 'string' || text.trim() === '') return null
  return text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((name) => {
      const { schema, path } = withoutSchema(name)
      // Core schemas may be named or not; extensions must be.
      return { schema: schema !== null && isExtension(schema) ? schema : null, path }
    })
}

const isExtension = (id: string): boolean => {
  const schema = schemaNamed(id)
  return schema !== undefined && SCHEMAS.indexOf(schema) > 1
}

/** Asked for itself, for a part of it, or for what it is a part of. */
function touches(one: Named, schema: string | null, path: string, isLeaf: boolean): boolean {
  if (one.schema !== schema) return false
  if (one.path === '' || one.path === path || path.startsWith(`${one.path}.`)) return true
  return !isLeaf && one.path.startsWith(`${path}.`)
}

type Keeps = (schema: string | null, path: string, isLeaf: boolean) => boolean

function kept(resource: Resource, schema: string | null, keeps: Keeps): Resource {
  const result: Resource = {}
  for (const [name, value] of Object.entries(resource)) {
    if (schema === null && ALWAYS.includes(name)) result[name] = value
    else if (schema === null && schemaNamed(name) && isObject(value)) {
      const inner = kept(value, name, keeps)
      if (Object.keys(inner).length > 0) result[name] = inner
    } else {
      const path = name.toLowerCase()
      const parts = Array.isArray(value) ? value : [value]
      if (!keeps(schema, path, !parts.some(isObject))) continue
      const projected = parts.map((part) =>
        isObject(part)
          ? Object.fromEntries(
              Object.entries(part).filter(([sub]) => keeps(schema, `${path}.${sub.toLowerCase()}`, true)),
            )
          : part,
      )
      result[name] = Array.isArray(value) ? projected : projected[0]
    }
  }
  return result
}
