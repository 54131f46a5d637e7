import type { Messages } from '../language/en.ts'

/** A scope in the words of the person who is asked for it; the scope itself where there are none. */
export function scopeWords(scope: string, { scopes }: Messages['consent']): string {
  const colon = scope.indexOf(':')
  const name = colon < 0 ? scope : scope.slice(0, colon)
  const path = colon < 0 ? undefined : decoded(scope.slice(colon + 1))
  if (name === 'wlcg' || name === 'eduperson_scoped_affiliation') return scopes.membership
  if (name === 'wlcg.groups') return path ? scopes.group(path) : scopes.groups
  if (name === 'eduperson_entitlement') return scopes.groups
  if (name.startsWith('storage.') && path) {
    const op = name.slice('storage.'.length)
    if (op in scopes.storage) return scopes.storage[op as keyof typeof scopes.storage](path)
  }
  if (name.startsWith('compute.')) return scopes.compute
  if (name === 'grid') return scopes.grid
  if (name.startsWith('grid.')) return scopes.action(name.slice('grid.'.length))
  if (name in scopes.plain) return scopes.plain[name as keyof typeof scopes.plain]
  return scope
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
