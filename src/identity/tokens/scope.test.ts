import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StorageOperation } from '../policy/actions.ts'
import {
  covers,
  formatScope,
  intersect,
  normalise,
  parseScope,
  parseScopes,
  pathAllowed,
  type Scope,
  segmentsOf,
} from './scope.ts'

const OPERATIONS: readonly StorageOperation[] = [
  'stat',
  'list',
  'read',
  'create',
  'overwrite',
  'mkdir',
  'rename',
  'delete',
  'stage',
  'poll',
]
// Few names, so that paths meet often; some that need escapes.
const segment = fc.constantFrom('a', 'b', 'ab', 'a b', 'ä', "it's", '*')
const path = fc.array(segment, { maxLength: 3 })
const storageScope = fc
  .record({
    op: fc.constantFrom('read', 'create', 'modify', 'stage', 'poll'),
    segments: path,
    slash: fc.boolean(),
  })
  .map(({ op, segments, slash }): Scope => {
    const text = segments.map((part) => `/${encodeURIComponent(part)}`).join('')
    return parseScope(`storage.${op}:${text || '/'}${slash && text ? '/' : ''}`)
  })
const plainScope = fc
  .constantFrom(
    ...['grid', 'grid.catalog.read', 'grid.catalog.*', 'compute.create', 'openid'],
    ...['grid.catalog.read:/a', 'grid.catalog.*:/a/b', 'grid.catalog.read:/'],
  )
  .map(parseScope)
const scope = fc.oneof({ weight: 4, arbitrary: storageScope }, plainScope)
const scopes = fc.array(scope, { maxLength: 4 })
const request = fc.record({
  operation: fc.constantFrom(...OPERATIONS),
  path,
  directory: fc.boolean(),
})
const allowed = (
  list: readonly Scope[],
  asked: { operation: StorageOperation; path: string[]; directory: boolean },
) => pathAllowed(list, asked.operation, asked.path, { directory: asked.directory })

describe('the scope algebra', () => {
  test('a scope reads back from its canonical text', () => {
    fc.assert(
      fc.property(scope, (s) => {
        expect(parseScope(formatScope(s))).toEqual(s)
      }),
    )
  })
  test('covering is reflexive and transitive', () => {
    fc.assert(fc.property(scope, (s) => covers(s, s)))
    fc.assert(fc.property(scope, scope, scope, (a, b, c) => !(covers(a, b) && covers(b, c)) || covers(a, c)))
  })
  test('whoever covers a scope may do everything it permits', () => {
    fc.assert(
      fc.property(storageScope, storageScope, request, (a, b, asked) => {
        return !(covers(a, b) && allowed([b], asked)) || allowed([a], asked)
      }),
      { numRuns: 3000 },
    )
  })
  test('a normal form permits the same and cannot be shortened', () => {
    fc.assert(
      fc.property(scopes, request, (list, asked) => {
        const normal = normalise(list)
        expect(normalise(normal)).toEqual(normal)
        expect(allowed(normal, asked)).toBe(allowed(list, asked))
      }),
    )
  })
  test('the intersection permits nothing that either side does not, whatever the order', () => {
    fc.assert(
      fc.property(scopes, scopes, request, (a, b, asked) => {
        const both = intersect(a, b)
        expect(intersect(b, a)).toEqual(both)
        if (allowed(both, asked)) expect([allowed(a, asked), allowed(b, asked)]).toEqual([true, true])
        for (const s of both) expect([a, b].every((side) => side.some((one) => covers(one, s)))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
  test('narrowing to what one has changes nothing', () => {
    fc.assert(
      fc.property(scopes, (list) => {
        expect(intersect(list, list)).toEqual(normalise(list))
      }),
    )
  })
  test('no text breaks the parser in any other way than by a refusal', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.webPath().map((p) => `storage.read:${p}`),
        ),
        (text) => {
          try {
            const s = parseScope(text)
            if (s.family === 'storage') expect(s.segments).not.toContain('..')
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid_scope' })
          }
        },
      ),
    )
  })
})

describe('the traps of storage paths', () => {
  const reads = (granted: string, wanted: string) => pathAllowed(parseScopes(granted), 'read', wanted)

  test('a path reaches by whole segments, never by letters', () => {
    expect(reads('storage.read:/a', '/a')).toBe(true)
    expect(reads('storage.read:/a', '/a/b/c')).toBe(true)
    expect(reads('storage.read:/a', '/ab')).toBe(false)
    expect(reads('storage.read:/a', '/')).toBe(false)
    expect(reads('storage.read:/a/b', '/a')).toBe(false)
    expect(reads('storage.read:/', '/anything')).toBe(true)
    expect(covers(parseScope('storage.read:/a'), parseScope('storage.read:/ab'))).toBe(false)
  })
  test('dots are refused in a scope in every disguise', () => {
    for (const path of [
      '/a/../b',
      '/a/%2e%2e/b',
      '/a/%2E./b',
      '/a/.%2e',
      '/./a',
      '/a//b',
      '//a',
      '/a/%252e%252e/b',
      '/a%2Fb',
      '/a%252fb',
      '/a%5cb',
      '/a%00b',
      '/a%0ab',
      '/a/%zz',
      '/a/%',
      'a',
    ]) {
      expect(() => parseScope(`storage.read:${path}`), path).toThrow(/path|scope/)
    }
    expect(() => parseScope('storage.read:')).toThrow(/must begin/)
  })
  test('dots are refused in a request, whatever the scope', () => {
    for (const path of ['/a/../b', '/..', '/a/.', 'a', '', '/a//b', '/a/\0']) {
      expect(reads('storage.read:/', path), path).toBe(false)
    }
  })
  test('letters are compared as they are: no folding of case or of composed forms, no patterns', () => {
    expect(reads('storage.read:/a', '/A')).toBe(false)
    expect(reads('storage.read:/caf%C3%A9', '/caf\u00e9')).toBe(true)
    expect(reads('storage.read:/caf%C3%A9', '/cafe\u0301')).toBe(false)
    expect(reads('storage.read:/a.b', '/aXb')).toBe(false)
    expect(reads('storage.read:/a*', '/ab')).toBe(false)
    expect(reads('storage.read:/.*', '/ab')).toBe(false)
    expect(reads('storage.read:/a%20', '/a')).toBe(false)
  })
  test('what is encoded more than once is refused, however often', () => {
    for (let times = 2, dots = '%2e%2e'; times < 6; times++) {
      dots = dots.replaceAll('%', '%25')
      expect(() => parseScope(`storage.read:/a/${dots}/b`), dots).toThrow(/path/)
    }
  })
  test('the escapes of a path are undone exactly once', () => {
    expect(segmentsOf('/a%20b/%C3%A4')).toEqual(['a b', 'ä'])
    expect(reads('storage.read:/a%20b', '/a b/c')).toBe(true)
    expect(reads('storage.read:/a%20b', '/a%20b/c')).toBe(false)
  })
  test('a trailing slash grants the directory, not a file of that name', () => {
    const create = (granted: string, wanted: string, directory = false) =>
      pathAllowed(parseScopes(granted), 'create', wanted, { directory })
    expect(create('storage.create:/d/', '/d/f')).toBe(true)
    expect(create('storage.create:/d/', '/d')).toBe(false)
    expect(create('storage.create:/d/', '/d', true)).toBe(true)
    expect(create('storage.create:/d', '/d')).toBe(true)
  })
  test('one storage scope without a path spoils the whole list', () => {
    for (const bad of ['storage.read', 'storage.write:/a', 'storage.:/', 'storage.read:b']) {
      expect(() => parseScopes(`openid storage.read:/a ${bad}`), bad).toThrow()
    }
  })
  test('who may create may not overwrite or delete, who may modify may do all three, and neither reads', () => {
    const may = (granted: string) =>
      (['create', 'overwrite', 'delete', 'rename', 'read', 'list', 'stat'] as const).filter((operation) =>
        pathAllowed(parseScopes(granted), operation, '/a/f'),
      )
    expect(may('storage.create:/a')).toEqual(['create', 'rename', 'stat'])
    expect(may('storage.modify:/a')).toEqual(['create', 'overwrite', 'delete', 'rename', 'stat'])
    expect(may('storage.read:/a')).toEqual(['read', 'list', 'stat'])
    expect(may('openid grid')).toEqual([])
  })
  test('the way to a permitted place may be made and looked at, nothing beside it', () => {
    const granted = parseScopes('storage.create:/a/b')
    expect(pathAllowed(granted, 'mkdir', '/a', { directory: true })).toBe(true)
    expect(pathAllowed(granted, 'stat', '/a')).toBe(true)
    expect(pathAllowed(granted, 'mkdir', '/c', { directory: true })).toBe(false)
    expect(pathAllowed(granted, 'create', '/a')).toBe(false)
    expect(pathAllowed(granted, 'list', '/a')).toBe(false)
  })
})
