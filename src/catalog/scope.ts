import type { Db } from '../kernel/index.ts'
import { some } from './codes.ts'
import { scopeExists, scopeNotFound } from './errors.ts'
import { checkScopeName } from './names.ts'
import { scopeDirectory } from './pfn.ts'
import { insertScope, selectScopes, selectSoleScopes, updateScopeOwner } from './scope.store.ts'
import type { Rse, Scope } from './types.ts'

/** So many areas of an account fit into a token that every HTTP server accepts. */
const MOST_AREAS = 50

/** Creates a scope owned by an account. Throws scope_exists. */
export async function createScope(
  db: Db,
  input: { vo: string; now: Date; name: string; accountId: number },
): Promise<Scope> {
  checkScopeName(input.name)
  const created = await insertScope(db, input)
  if (!created) throw scopeExists(`Scope "${input.name}" exists already.`)
  return created
}

/** Scopes of a VO, or of one of its accounts, by name. */
export async function listScopes(db: Db, input: { vo: string; accountId?: number }): Promise<Scope[]> {
  return selectScopes(db, input)
}

/** One scope. Throws scope_not_found. */
export async function getScope(db: Db, input: { vo: string; name: string }): Promise<Scope> {
  const [found] = await selectScopes(db, { vo: input.vo, names: [input.name] })
  if (!found) throw scopeNotFound(`There is no scope "${input.name}".`)
  return found
}

/**
 * Directories of a VO's storages, below its area, that hold nothing but files of an account's scopes; of the newest
 * scopes if there are too many for a token. A scope in whose directory somebody else's scope lies gives none.
 */
export async function areasOfAccount(
  db: Db,
  input: { vo: string; accountId: number; rses: readonly Rse[] },
): Promise<string[]> {
  const { vo, accountId, rses } = input
  const area = `/${vo}/`
  const prefixes = rses
    .flatMap(({ protocols }) => protocols.map(({ prefix }) => prefix.replace(/\/*$/, '/')))
    .filter((prefix) => prefix.startsWith(area))
    .map((prefix) => prefix.slice(area.length - 1))
  const names = await selectSoleScopes(db, { vo, accountId, most: MOST_AREAS })
  const areas = names.flatMap(({ name }) => prefixes.map((prefix) => `${prefix}${scopeDirectory(name)}`))
  return [...new Set(areas)].slice(0, MOST_AREAS)
}

/** Gives a scope to another account. */
export async function changeScopeOwner(
  db: Db,
  input: { vo: string; now: Date; name: string; accountId: number },
): Promise<void> {
  if (!(await updateScopeOwner(db, input))) throw scopeNotFound(`There is no scope "${input.name}".`)
}

/** Ids of scopes by name. Throws scope_not_found naming the missing ones. */
export async function scopeIds(db: Db, vo: string, names: Iterable<string>): Promise<Map<string, number>> {
  const wanted = [...new Set(names)]
  const found = new Map((await selectScopes(db, { vo, names: wanted })).map((s) => [s.name, s.id]))
  const missing = wanted.filter((name) => !found.has(name))
  if (missing.length > 0) {
    throw scopeNotFound(`There is no scope ${some(missing)}; create it first.`, { scopes: missing })
  }
  return found
}
