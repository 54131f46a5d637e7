import type { Db } from '../kernel/index.ts'
import { some } from './codes.ts'
import { scopeExists, scopeNotFound } from './errors.ts'
import { checkScopeName } from './names.ts'
import { insertScope, selectScopes, updateScopeOwner } from './scope.store.ts'
import type { Scope } from './types.ts'

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
