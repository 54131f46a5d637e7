import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { getScope } from '../../catalog/index.ts'
import type { Action, Principal, Resource, RouteAction } from '../../identity/index.ts'
import type { RucioDoorDeps } from './deps.ts'
import { badRequest } from './errors.ts'

/** One request as the handlers of this door see it. */
export interface Call {
  readonly deps: RucioDoorDeps
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly principal: Principal
  readonly vo: string
  readonly now: Date
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string | undefined>>
  readonly body: unknown
}

export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the door's prefix. */
  readonly path: string
  readonly action: RouteAction
  /** What it is done to; everything of the caller's VO when absent. */
  readonly resource?: (call: Call) => Resource | Promise<Resource>
  readonly bodyLimit?: number
  readonly handler: (call: Call) => unknown
}

export const get = (path: string, action: RouteAction, handler: Endpoint['handler']): Endpoint => ({
  method: 'GET',
  path,
  action,
  handler,
})

/** A path parameter the route's pattern guarantees. */
export function param(call: Call, name: string): string {
  const value = call.params[name]
  if (value === undefined || value === '') throw badRequest(`The path lacks "${name}".`)
  return value
}

export function headerOf(call: Call, name: string): string | undefined {
  const value = call.request.headers[name]
  return (Array.isArray(value) ? value[0] : value) || undefined
}

/** The body in the shape of its schema; fields the schema does not name are tolerated. */
export function bodyOf<T extends TSchema>(call: Call, schema: T): Static<T> {
  return checked(schema, call.body)
}

const validators = new WeakMap<TSchema, Validator>()
/** The schema each body was found to fit: leave and handler ask for the same one, and bodies have 100,000 entries. */
const fitting = new WeakMap<object, TSchema>()

function checked<T extends TSchema>(schema: T, value: unknown): Static<T> {
  const known = typeof value === 'object' && value !== null ? value : undefined
  if (known && fitting.get(known) === schema) return value as Static<T>
  // Compiled on first use: most schemas are never asked for in the life of a process.
  const validator = validators.get(schema) ?? Compile(schema)
  validators.set(schema, validator)
  if (validator.Check(value)) {
    if (known) fitting.set(known, schema)
    return value as Static<T>
  }
  const [first] = validator.Errors(value)
  const where = first && 'instancePath' in first ? String(first.instancePath) : ''
  throw badRequest(
    `The request body is not as expected${where ? ` at ${where}` : ''}: ${first?.message ?? 'no body'}.`,
  )
}

/** The account the caller acts for; tokens of the grid itself have none. */
export function callerAccount(call: Call): number {
  const id = call.principal.accountId
  if (id === null) throw badRequest('This call needs an account; the token belongs to none.')
  return id
}

/** Account `name`, as the owner of what is asked. */
export async function accountOwner(call: Call, name = param(call, 'account')): Promise<Resource> {
  return { vo: call.vo, owner: (await call.deps.identity.account(call.vo, name)).id }
}

/** The owner of the scope in the path. */
export async function scopeOwner(call: Call): Promise<Resource> {
  const scope = await getScope(call.deps.db, { vo: call.vo, name: param(call, 'scope') })
  return { vo: call.vo, owner: scope.accountId }
}

/** For bulk calls: leave is needed in each scope, so each owner but the last is decided here. */
export async function ownersOf(call: Call, action: Action, scopes: Iterable<string>): Promise<Resource> {
  const owners = new Set<number>()
  for (const name of new Set(scopes)) {
    owners.add((await getScope(call.deps.db, { vo: call.vo, name })).accountId)
  }
  const resources = [...owners].map((owner): Resource => ({ vo: call.vo, owner }))
  for (const resource of resources.slice(1)) call.deps.identity.authorize(call.principal, action, resource)
  return resources[0] ?? { vo: call.vo }
}

/** Names of accounts by their ids. */
export async function accountNames(call: Call, ids: Iterable<number>): Promise<Map<number, string>> {
  const accounts = await call.deps.identity.accountsById([...new Set(ids)])
  return new Map(accounts.map((account) => [account.id, account.name]))
}
