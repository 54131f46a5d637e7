import { describe, expect, test } from 'vitest'
import { anonymous } from '../principal.ts'
import { formatScopes, normalise, parseScope, pathAllowed } from '../tokens/scope.ts'
import { compilePolicy, type Rule } from './decide.ts'
import { defaultRules } from './default-rules.ts'
import { storageScopes } from './storage-scopes.ts'

const rule = (action: string, resource: string, effect: Rule['effect'] = 'allow'): Rule => ({
  ...{ vo: 'demo', subjectKind: 'everyone', subject: '', action, resource, effect },
})
/** The scopes of somebody whose own is /user/aki. */
function scopesUnder(...rules: Rule[]) {
  const policy = compilePolicy([...defaultRules('demo'), ...rules])
  const aki = {
    ...anonymous,
    ...{ kind: 'user' as const, vo: 'demo', accountId: 7, account: 'aki', scopes: [parseScope('grid')] },
  }
  const named = rules.map(({ resource }) => resource).filter((resource) => resource.startsWith('/'))
  return normalise(
    storageScopes(
      { own: ['/user/aki'], named },
      (action, path, own) => policy.decide(aki, action, { vo: 'demo', path, owner: own ? 7 : null }).allow,
    ),
  )
}

describe('what a login carries at storages', () => {
  test('is reading, and writing below the own', () => {
    const scopes = scopesUnder()
    expect(formatScopes(scopes)).toBe('storage.modify:/user/aki storage.read:/ storage.stage:/')
    expect(pathAllowed(scopes, 'delete', '/user/aki/f')).toBe(true)
    for (const path of ['/', '/user', '/user/akira/f', '/user/emi/f', '/raw/f']) {
      expect([path, pathAllowed(scopes, 'delete', path)]).toEqual([path, false])
      expect([path, pathAllowed(scopes, 'create', path)]).toEqual([path, false])
      expect([path, pathAllowed(scopes, 'read', path)]).toEqual([path, true])
    }
  })

  test('grows with a rule for a path', () => {
    expect(
      formatScopes(scopesUnder(rule('storage.create', '/shared'), rule('storage.mkdir', '/shared'))),
    ).toBe('storage.create:/shared storage.modify:/user/aki storage.read:/ storage.stage:/')
    expect(formatScopes(scopesUnder(rule('storage.*', '/user')))).toBe(
      'storage.modify:/user storage.read:/ storage.stage:/',
    )
  })

  test('does not reach over what is refused below', () => {
    const scopes = scopesUnder(rule('storage.read', '/raw/secret', 'deny'))
    expect(pathAllowed(scopes, 'read', '/raw/secret/f')).toBe(false)
    expect(pathAllowed(scopes, 'read', '/user/aki/f')).toBe(true)
    const closed = scopesUnder(rule('storage.delete', '/user/aki/kept', 'deny'))
    expect(pathAllowed(closed, 'delete', '/user/aki/kept/f')).toBe(false)
    expect(pathAllowed(closed, 'create', '/user/aki/f')).toBe(true)
  })
})
