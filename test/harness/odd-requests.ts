/** What an OpenAPI document says of a value, as far as values are made of it. */
interface Schema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly format?: string
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly minLength?: number
}
interface Operation {
  readonly parameters?: readonly { in: string; name: string; required?: boolean; schema: Schema }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> }
}
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

export interface OddRequest {
  readonly method: string
  readonly path: string
  readonly body?: unknown
}

const TEXTS = ['a\u0000b', '\ud800', '', "x'; --", '2026-13-45']
const NUMBERS = [-1, 0, 2 ** 31, Number.MAX_SAFE_INTEGER, 1e300, 0.5]
const ODD = [...TEXTS, ...NUMBERS]
type Path = readonly (string | number)[]

/** A request that fits what each route takes, and the same with each value of it replaced by ones that nobody thinks of. */
export function* oddRequests({ paths }: OpenApi): Generator<OddRequest> {
  for (const [path, operations] of Object.entries(paths))
    for (const [method, operation] of Object.entries(operations))
      yield* oddOf(method.toUpperCase(), path, operation)
}

function* oddOf(
  method: string,
  path: string,
  { parameters = [], requestBody }: Operation,
): Generator<OddRequest> {
  const [content] = Object.values(requestBody?.content ?? {})
  const body = content && sampleOf(content.schema)
  const address = (odd: Readonly<Record<string, unknown>> = {}) => {
    const value = (name: string, schema: Schema) =>
      encodeURIComponent(Buffer.from(String(name in odd ? odd[name] : sampleOf(schema))).toString())
    let filled = path
    const query: string[] = []
    for (const { in: where, name, required, schema } of parameters)
      if (where === 'path') filled = filled.replace(`{${name}}`, value(name, schema))
      else if (required || name in odd) query.push(`${name}=${value(name, schema)}`)
    return query.length > 0 ? `${filled}?${query.join('&')}` : filled
  }
  yield { method, path: address(), body }
  for (const { name } of parameters)
    for (const odd of ODD) yield { method, path: address({ [name]: odd }), body }
  for (const at of leavesOf(body))
    for (const odd of [...ODD, null, true, []])
      yield { method, path: address(), body: replaced(body, at, odd) }
}

function sampleOf(schema: Schema): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  if (schema.anyOf) return sampleOf(schema.anyOf[0]!)
  if (schema.type === 'array') return schema.items ? [sampleOf(schema.items)] : []
  if (schema.type === 'integer' || schema.type === 'number')
    return schema.minimum ?? (schema.exclusiveMinimum ?? 0) + 1
  if (schema.type === 'boolean') return true
  if (schema.type === 'null') return null
  if (schema.type === 'string')
    return schema.format === 'date-time'
      ? '2026-11-01T00:00:00Z'
      : 'a'.repeat(Math.max(1, schema.minLength ?? 1))
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [name, sampleOf(property)]),
  )
}

function* leavesOf(value: unknown, at: Path = []): Generator<Path> {
  if (Array.isArray(value)) {
    yield at
    for (const [i, item] of value.entries()) yield* leavesOf(item, [...at, i])
  } else if (typeof value === 'object' && value !== null)
    for (const [name, item] of Object.entries(value)) yield* leavesOf(item, [...at, name])
  else if (value !== undefined) yield at
}

function replaced(value: unknown, [first, ...rest]: Path, by: unknown): unknown {
  if (first === undefined) return by
  const copy = structuredClone(value) as Record<string | number, unknown>
  copy[first] = replaced(copy[first], rest, by)
  return copy
}
