import { sameCertificate } from './certificates.ts'
import { badPath, badSyntax, badValue, immutable, noTarget } from './errors.ts'
import { type Filter, type PatchPath, parsePatchPath } from './filter.ts'
import { type Attribute, attributeNamed, type Schema, schemaNamed } from './schemas.ts'

/** A resource as it is on the wire. */
export type Resource = Record<string, unknown>

export interface PatchOperation {
  readonly op: 'add' | 'remove' | 'replace'
  readonly path: PatchPath | null
  readonly value: unknown
}

const MOST_OPERATIONS = 1000

/** The operations of a PATCH body; the standard writes `Operations`, IAM and its scripts `operations`. */
export function patchOperations(body: unknown): PatchOperation[] {
  if (!isObject(body)) throw badSyntax('A patch is an object with Operations.')
  const list = body.Operations ?? body.operations
  if (!Array.isArray(list) || list.length === 0) throw badSyntax('The patch has no Operations.')
  if (list.length > MOST_OPERATIONS) throw badSyntax(`A patch has at most ${MOST_OPERATIONS} operations.`)
  return list.map((one: unknown) => {
    if (!isObject(one)) throw badSyntax('An operation is an object.')
    const op = String(one.op).toLowerCase()
    if (op !== 'add' && op !== 'remove' && op !== 'replace') {
      throw badSyntax(`"${op.slice(0, 40)}" is no operation; use add, remove or replace.`)
    }
    if (one.path !== undefined && typeof one.path !== 'string') throw badPath('A path is a text.')
    const path = one.path === undefined || one.path === '' ? null : parsePatchPath(one.path)
    if (op === 'remove' && path === null) throw noTarget('Say with a path what to remove.')
    if (op !== 'remove' && one.value === undefined) throw badValue(`The operation ${op} needs a value.`)
    return { op, path, value: one.value }
  })
}

/** The resource after the operations (RFC 7644 §3.5.2); what is read-only stays as it is. Pure. */
export function patched(resource: Resource, operations: readonly PatchOperation[], core: Schema): Resource {
  const result = structuredClone(resource)
  for (const operation of operations) {
    if (operation.path === null) merge(result, operation.op, operation.value, core)
    else applyAt(result, operation.op, operation.path, operation.value, core)
  }
  return result
}

/** Without a path, the value is a part of the resource; extensions stand in it under their own name. */
function merge(resource: Resource, op: PatchOperation['op'], value: unknown, core: Schema): void {
  if (!isObject(value)) throw badValue('Without a path, the value is an object of attributes.')
  for (const [name, part] of Object.entries(value)) {
    if (name.toLowerCase() === 'schemas') continue
    const extension = schemaNamed(name)
    if (extension && extension !== core) mergeExtension(resource, op, part, extension, core)
    else {
      const separator = name.lastIndexOf(':')
      const schema = separator > 0 ? schemaNamed(name.slice(0, separator)) : core
      const [attribute = '', sub = null] = name.slice(separator + 1).split('.')
      const path = { attribute, sub, filter: null, schema: schema?.id ?? name }
      applyAt(resource, op, path, part, core)
    }
  }
}

function mergeExtension(
  resource: Resource,
  op: PatchOperation['op'],
  part: unknown,
  extension: Schema,
  core: Schema,
): void {
  if (!isObject(part)) throw badValue(`${extension.id} is an object.`)
  for (const [name, value] of Object.entries(part)) {
    const path = { attribute: name, sub: null, filter: null, schema: extension.id }
    applyAt(resource, op, path, value, core)
  }
}

function applyAt(
  resource: Resource,
  op: PatchOperation['op'],
  { schema: id, attribute: name, filter, sub }: PatchPath,
  value: unknown,
  core: Schema,
): void {
  const schema = id === null ? undefined : schemaNamed(id)
  if (id !== null && !schema) throw badPath(`There is no schema "${id.slice(0, 100)}".`)
  if (schema && name === '') {
    mergeExtension(resource, op, value ?? {}, schema, core)
    return
  }
  // The name of an extension's attribute alone is what IAM's scripts write.
  const home = [schema ?? core, ...(schema ? [] : extensionsOf(core))].find((one) =>
    attributeNamed(one.attributes, name),
  )
  const attribute = home && attributeNamed(home.attributes, name)
  if (!home || !attribute) {
    // Ids and times come back in what a client read before: they are no changes.
    if (['id', 'meta', 'schemas', 'externalid'].includes(name.toLowerCase())) return
    throw badPath(`There is no attribute "${name.slice(0, 100)}".`)
  }
  const parent = home === core ? resource : extensionOf(resource, home.id)
  // IAM's scripts wrap the value of an extension's attribute in the extension: {"urn:…": {"labels": […]}}.
  const own =
    isObject(value) && isObject(value[home.id]) ? (value[home.id] as Resource)[attribute.name] : value
  if (attribute.mutability === 'readOnly') return
  if (filter) applyToElements(parent, op, attribute, filter, sub, own)
  else if (sub) applyToPart(parent, op, attribute, sub, own)
  else applyWhole(parent, op, attribute, own)
}

function applyWhole(parent: Resource, op: PatchOperation['op'], attribute: Attribute, value: unknown): void {
  const { name, multiValued } = attribute
  if (multiValued) {
    const present = elements(parent[name])
    // A removal may name the elements in its value, as IAM's scripts do.
    if (op === 'remove' && value !== undefined && value !== null) {
      const gone = checkedElements(attribute, value)
      parent[name] = present.filter((old) => !gone.some((one) => sameElement(attribute, old, one)))
    } else if (op === 'remove') parent[name] = []
    else {
      const given = checkedElements(attribute, value)
      const before = op === 'add' ? present : []
      parent[name] = given.reduce<unknown[]>(
        (list, one) => [
          ...withoutPrimary(attribute, list, one).filter((old) => !sameElement(attribute, old, one)),
          one,
        ],
        before,
      )
    }
  } else if (op === 'remove') {
    if (attribute.required) throw immutable(`${name} cannot be removed.`)
    delete parent[name]
  } else if (attribute.subAttributes) {
    const given = checkedComplex(attribute, value)
    parent[name] = { ...(isObject(parent[name]) && parent[name]), ...given }
  } else parent[name] = checkedSimple(attribute, value)
}

function applyToPart(
  parent: Resource,
  op: PatchOperation['op'],
  attribute: Attribute,
  sub: string,
  value: unknown,
) {
  const part = attributeNamed(attribute.subAttributes ?? [], sub)
  if (!part) throw badPath(`${attribute.name} has no part "${sub.slice(0, 60)}".`)
  if (part.mutability === 'readOnly') return
  if (attribute.multiValued) {
    for (const element of elements(parent[attribute.name])) setPart(element as Resource, op, part, value)
    return
  }
  const inner: Resource = isObject(parent[attribute.name]) ? { ...(parent[attribute.name] as Resource) } : {}
  setPart(inner, op, part, value)
  parent[attribute.name] = inner
}

function applyToElements(
  parent: Resource,
  op: PatchOperation['op'],
  attribute: Attribute,
  filter: Filter,
  sub: string | null,
  value: unknown,
): void {
  const { name, subAttributes = [] } = attribute
  if (!attribute.multiValued) throw badPath(`${name} is no list.`)
  const part = sub === null ? null : attributeNamed(subAttributes, sub)
  if (part === undefined) throw badPath(`${name} has no part "${sub?.slice(0, 60)}".`)
  const all = elements(parent[name])
  const chosen = all.filter((element) => matches(filter, element as Resource, attribute))
  if (chosen.length === 0 && op !== 'remove') throw noTarget(`No element of ${name} fits the filter.`)
  if (op === 'remove' && part === null) parent[name] = all.filter((element) => !chosen.includes(element))
  else if (part !== null) for (const element of chosen) setPart(element as Resource, op, part, value)
  else for (const element of chosen) Object.assign(element as Resource, checkedComplex(attribute, value))
}

function setPart(element: Resource, op: PatchOperation['op'], part: Attribute, value: unknown): void {
  if (op === 'remove') delete element[part.name]
  else element[part.name] = checkedSimple(part, value)
}

/** Whether an element of a list fits a filter: the comparisons of RFC 7644 on plain values. */
export function matches(filter: Filter, element: Resource, attribute: Attribute): boolean {
  if (filter.op === 'and') return filter.of.every((one) => matches(one, element, attribute))
  if (filter.op === 'or') return filter.of.some((one) => matches(one, element, attribute))
  if (filter.op === 'not') return !matches(filter.of, element, attribute)
  const part = attributeNamed(attribute.subAttributes ?? [], filter.path)
  if (filter.op === 'some' || !part)
    throw badPath(`${attribute.name} has no part "${filter.path.slice(0, 60)}".`)
  const found = element[part.name] ?? null
  if (filter.op === 'pr') return found !== null && found !== ''
  const { value } = filter
  const same = (a: unknown, b: unknown) =>
    typeof a === 'string' && typeof b === 'string' ? a.toLowerCase() === b.toLowerCase() : a === b
  if (filter.op === 'eq') return same(found, value)
  if (filter.op === 'ne') return !same(found, value)
  const [a, b] = [String(found ?? '').toLowerCase(), String(value ?? '').toLowerCase()]
  switch (filter.op) {
    case 'co':
      return a.includes(b)
    case 'sw':
      return a.startsWith(b)
    case 'ew':
      return a.endsWith(b)
    case 'gt':
      return a > b
    case 'ge':
      return a >= b
    case 'lt':
      return a < b
    case 'le':
      return a <= b
  }
}

function checkedElements(attribute: Attribute, value: unknown): unknown[] {
  const list = Array.isArray(value) ? value : [value]
  return list.map((one) =>
    attribute.subAttributes ? checkedComplex(attribute, one) : checkedSimple(attribute, one),
  )
}

/** Only attributes of the schema, in its writing: nothing else of a body gets any further. */
function checkedComplex(attribute: Attribute, value: unknown): Resource {
  if (!isObject(value)) throw badValue(`${attribute.name} needs an object.`)
  const checked: Resource = {}
  for (const [name, inner] of Object.entries(value)) {
    const part = attributeNamed(attribute.subAttributes ?? [], name)
    if (part && inner !== null) checked[part.name] = checkedSimple(part, inner)
  }
  return checked
}

function checkedSimple({ name, type }: Attribute, value: unknown): unknown {
  if (type === 'boolean') {
    if (typeof value === 'boolean') return value
    // Some clients write texts here.
    if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true'
    throw badValue(`${name} is true or false.`)
  }
  if (value === null) return null
  if (typeof value !== 'string') throw badValue(`${name} is a text.`)
  return value
}

/** Elements are the same when what identifies them is: the value of an address, prefix and name of a label. */
function sameElement(attribute: Attribute, a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return a === b
  if (attribute.name === 'certificates') return sameCertificate(a, b)
  const keys = KEYS[attribute.name] ?? ['value']
  return keys.every((key) => String(a[key] ?? '').toLowerCase() === String(b[key] ?? '').toLowerCase())
}

const KEYS: Readonly<Record<string, readonly string[]>> = {
  labels: ['prefix', 'name'],
  attributes: ['name'],
  oidcIds: ['issuer', 'subject'],
}

/** A new primary element takes that mark from the others. */
function withoutPrimary(attribute: Attribute, list: readonly unknown[], added: unknown): unknown[] {
  const marks = attribute.subAttributes?.some(({ name }) => name === 'primary')
  if (!marks || !isObject(added) || added.primary !== true) return [...list]
  return list.map((one) => (isObject(one) ? { ...one, primary: false } : one))
}

const EXTENSIONS: Readonly<Record<string, readonly string[]>> = {
  User: [
    'urn:indigo-dc:scim:schemas:IndigoUser',
    'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User',
  ],
  Group: ['urn:indigo-dc:scim:schemas:IndigoGroup'],
}

function extensionsOf({ name }: Schema): Schema[] {
  return (EXTENSIONS[name] ?? []).map((id) => schemaNamed(id)!)
}

function extensionOf(resource: Resource, id: string): Resource {
  if (!isObject(resource[id])) resource[id] = {}
  return resource[id] as Resource
}

const elements = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

export function isObject(value: unknown): value is Resource {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
