import { invalidScope } from '../errors.ts'
import { parseScope, type Scope } from './scope.ts'

/** The words of this issuer that stand for themselves. What it does not know it does not sign. */
const WORDS: ReadonlySet<string> = new Set([
  ...['openid', 'profile', 'email', 'offline_access'],
  ...['wlcg', 'wlcg:1.0', 'wlcg.groups', 'eduperson_entitlement', 'eduperson_scoped_affiliation'],
  ...['compute.read', 'compute.modify', 'compute.create', 'compute.cancel', 'fts'],
  ...['scim:read', 'scim:write', 'iam:admin.read', 'iam:admin.write'],
  ...['registration:read', 'registration:write'],
])
const GROUP = /^wlcg\.groups:((?:\/[A-Za-z0-9][A-Za-z0-9_.-]*)+)$/
const GRID = /^grid(\.[a-z][a-z_]*)*(\.\*)?$/

/** A scope somebody asks this issuer for; throws invalid_scope for one that is malformed or means nothing here. */
export function askedScope(text: string): Scope {
  const scope = parseScope(text)
  if (scope.family === 'storage' || GRID.test(scope.word)) return scope
  if (scope.segments === undefined && (WORDS.has(scope.word) || GROUP.test(scope.word))) return scope
  throw invalidScope(`The scope "${text}" means nothing here.`)
}

/** The group that `wlcg.groups:/path` asks for; undefined for every other scope. */
export function groupAsked(scope: Scope): string | undefined {
  return scope.family === 'plain' ? GROUP.exec(scope.word)?.[1] : undefined
}

/** What discovery lists: every word, and the families that take a path with the widest one. */
export const SCOPES_OFFERED: readonly string[] = [
  ...WORDS,
  ...['read', 'create', 'modify', 'stage', 'poll'].map((op) => `storage.${op}:/`),
  'grid',
]

/** What people of a new VO may ask for: what a login carries and who they are. */
export const DEFAULT_PEOPLE_SCOPES: readonly string[] = [
  ...['openid', 'profile', 'email', 'offline_access', 'wlcg', 'wlcg:1.0', 'wlcg.groups'],
  ...['eduperson_entitlement', 'eduperson_scoped_affiliation', 'fts', 'grid'],
  ...['storage.read:/', 'storage.modify:/', 'storage.stage:/'],
]

/** What the token of a login carries unless something else is asked for, and what a session of the console may do. */
export const LOGIN_SCOPES: readonly string[] = [
  'grid',
  'storage.read:/',
  'storage.modify:/',
  'storage.stage:/',
  'wlcg.groups',
]
