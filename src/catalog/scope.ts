import type { Db } from '../kernel/index.ts'
import type { Scope } from './types.ts'

/** Creates a scope owned by an account. Throws scope_exists. */
export async function createScope(
  db: Db,
  input: { vo: string; now: Date; name: string; accountId: number },
): Promise<Scope> {
  throw new Error('unfinished')
}
/** Scopes of a VO, or of one of its accounts, by name. */
export async function listScopes(db: Db, input: { vo: string; accountId?: number }): Promise<Scope[]> {
  throw new Error('unfinished')
}
/** One scope. Throws scope_not_found. */
export async function getScope(db: Db, input: { vo: string; name: string }): Promise<Scope> {
  throw new Error('unfinished')
}
/** Gives a scope to another account. */
export async function changeScopeOwner(
  db: Db,
  input: { vo: string; now: Date; name: string; accountId: number },
): Promise<void> {
  throw new Error('unfinished')
}
