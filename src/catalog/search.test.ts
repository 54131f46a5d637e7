import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { GridError, rows, sql } from '../kernel/index.ts'
import {
  addCollections,
  addFiles,
  attach,
  createScope,
  type DidFilter,
  deleteCollections,
  type FoundDid,
  findDids,
  type Search,
  searchDids,
  setMetadata,
} from './index.ts'
import { pageQuery } from './search.store.ts'
import { conditionOf } from './search-filter.ts'

const database = testDatabase()
const vo = 'demo'
const now = new Date('2026-01-01T00:00:00Z')
const by = { vo, now, accountId: 1 }
const did = (name: string, scope = 's') => ({ scope, name })
let manyId = 0

async function found(filter: DidFilter, more: Partial<Search> = {}): Promise<FoundDid[]> {
  const all: FoundDid[] = []
  for await (const page of searchDids(database.db, { vo, scope: 's', filter, ...more })) all.push(...page)
  return all
}
const names = async (filter: DidFilter, more: Partial<Search> = {}) =>
  (await found(filter, more)).map((f) => f.name)
const where = (key: string, operator: DidFilter[number][number]['operator'], value: unknown) =>
  names([[{ key, operator, value: value as never }]])

beforeAll(async () => {
  for (const name of ['s', 't', 'many']) await createScope(database.db, { vo, now, name, accountId: 1 })
  const at = (kind: 'DATASET' | 'CONTAINER', ...list: string[]) =>
    addCollections(database.db, { ...by, collections: list.map((n) => ({ ...did(n), kind })) })
  await at('DATASET', 'run1', 'run2', 'gone')
  await at('CONTAINER', 'all')
  await addFiles(database.db, {
    ...by,
    files: [
      { ...did('run1.a'), bytes: 5n, adler32: '0000abcd' },
      { ...did('run1.b'), bytes: 10n, guid: '00112233445566778899aabbccddeeff' },
      { ...did('run_%c'.replaceAll('%', '~')), bytes: 100n },
      { ...did('elsewhere', 't'), bytes: 7n },
    ],
  })
  const put = (parent: string, ...dids: { scope: string; name: string }[]) =>
    attach(database.db, { ...by, attachments: [{ ...did(parent), dids }] })
  await put('run1', did('run1.a'), did('run1.b'))
  await put('run2', did('elsewhere', 't'), did('run1.a'))
  await put('all', did('run1'), did('run2'))
  const [gone] = await findDids(database.db, { vo, dids: [did('gone')] })
  await deleteCollections(database.db, { vo, now, ids: [gone!.id] })
  await setMetadata(database.db, {
    vo,
    now,
    changes: [
      {
        ...did('run1'),
        meta: { run: 9, energy: 'high', taken: '2025-12-31', tags: ['x', 'cosmic'], ok: true },
      },
      { ...did('run2'), meta: { run: 10, energy: 'low', taken: '2026-02-30', tags: 'cosmic rays' } },
      { ...did('run1.a'), meta: { run: '11', taken: '2026-01-02T10:00:00Z', energy: 5 } },
      { ...did('run1.b'), meta: { run: 'none', taken: 'yesterday', deep: { a: [1] } } },
    ],
  })
  await sql`insert into file (scope_id, name, bytes, account_id, created_at)
    select (select id from scope where name = 'many'), 'run' || lpad((i / 1000)::text, 4, '0') || '/f' || i, i, 1, ${now}
    from generate_series(1, 100000) i`.execute(database.db)
  await sql`analyze`.execute(database.db)
  const [many] = await rows(database.db, sql<{ id: number }>`select id from scope where name = 'many'`)
  manyId = many!.id
})

describe('a search', () => {
  test('gives everything of a scope in name order, with sizes, without deleted names', async () => {
    expect((await found([])).map((f) => [f.name, f.kind, f.bytes, f.length])).toEqual([
      ['all', 'CONTAINER', 27n, 4n],
      ['run1', 'DATASET', 15n, 2n],
      ['run1.a', 'FILE', 5n, 1n],
      ['run1.b', 'FILE', 10n, 1n],
      ['run2', 'DATASET', 12n, 2n],
      ['run_~c', 'FILE', 100n, 1n],
    ])
    expect(await names([], { type: 'file' })).toEqual(['run1.a', 'run1.b', 'run_~c'])
    expect(await names([], { type: 'collection' })).toEqual(['all', 'run1', 'run2'])
    expect(await names([], { type: 'dataset' })).toEqual(['run1', 'run2'])
    expect(await names([], { type: 'container' })).toEqual(['all'])
    expect(await names([], { limit: 2 })).toEqual(['all', 'run1'])
    expect(await names([], { limit: 0 })).toEqual([])
  })

  test('matches names by pattern, and takes LIKE characters as themselves', async () => {
    expect(await where('name', '=', 'run1*')).toEqual(['run1', 'run1.a', 'run1.b'])
    expect(await where('name', '=', '*.b')).toEqual(['run1.b'])
    expect(await where('name', '=', 'run_*')).toEqual(['run_~c'])
    expect(await where('name', '!=', 'run*')).toEqual(['all'])
    expect(await where('name', 'in', ['all', 'run2', 'nothing'])).toEqual(['all', 'run2'])
    expect(await where('name', 'contains', '.')).toEqual(['run1.a', 'run1.b'])
    expect(await where('name', '=', '%')).toEqual([])
  })

  test('compares columns as what they are', async () => {
    expect(await where('bytes', '>', 9)).toEqual(['all', 'run1', 'run1.b', 'run2', 'run_~c'])
    expect(await where('bytes', '<=', '10')).toEqual(['run1.a', 'run1.b'])
    expect(await where('length', '=', 4)).toEqual(['all'])
    expect(await where('adler32', '=', 'ABCD')).toEqual(['run1.a'])
    expect(await where('guid', '=', '00112233445566778899AABBCCDDEEFF')).toEqual(['run1.b'])
    expect(await where('did_type', '=', 'dataset')).toEqual(['run1', 'run2'])
    expect(await where('is_open', '=', true)).toEqual(['all', 'run1', 'run2'])
    expect(await where('created_at', '<', '2026-01-01T00:00:01')).toHaveLength(6)
    expect(await where('created_after', '=', '2026-01-02')).toEqual([])
    expect(await where('expired_at', '=', null)).toHaveLength(6)
    expect(await where('scope', '=', 'other')).toEqual([])
  })

  test('compares documents like with like', async () => {
    expect(await where('run', '=', 9)).toEqual(['run1'])
    expect(await where('run', '=', '9')).toEqual(['run1'])
    expect(await where('run', '>=', 9)).toEqual(['run1', 'run2'])
    expect(await where('run', '!=', 9)).toEqual(['run1.a', 'run1.b', 'run2'])
    expect(await where('energy', '=', 'h*h')).toEqual(['run1'])
    expect(await where('energy', 'in', ['low', 5])).toEqual(['run1.a', 'run2'])
    expect(await where('taken', '<', '2026-01-02')).toEqual(['run1'])
    expect(await where('taken', '>=', '2026-01-02T10:00:00')).toEqual(['run1.a', 'run2'])
    expect(await where('tags', 'contains', 'cosmic')).toEqual(['run1', 'run2'])
    expect(await where('ok', '=', 'true')).toEqual(['run1'])
    expect(await where('deep', '=', { a: [1] })).toEqual(['run1.b'])
    expect(await where('ok', '=', null)).toEqual(['all', 'run1.a', 'run1.b', 'run2', 'run_~c'])
  })

  test('joins groups by "or" and terms by "and"', async () => {
    const filter: DidFilter = [
      [
        { key: 'run', operator: '>', value: 8 },
        { key: 'energy', operator: '=', value: 'low' },
      ],
      [{ key: 'bytes', operator: '=', value: 100 }],
    ]
    expect(await names(filter)).toEqual(['run2', 'run_~c'])
  })

  test('goes below the collections it finds, into other scopes too, each name once', async () => {
    const filter: DidFilter = [[{ key: 'name', operator: '=', value: 'all' }]]
    const below = await found(filter, { recursive: true })
    expect(below.map((f) => `${f.scope}:${f.name}`)).toEqual([
      's:all',
      's:run1',
      's:run1.a',
      's:run1.b',
      's:run2',
      't:elsewhere',
    ])
    expect(await names(filter, { recursive: true, type: 'file' })).toEqual(['run1.a', 'run1.b', 'elsewhere'])
    expect(await names(filter, { recursive: true, limit: 3 })).toEqual(['all', 'run1', 'run1.a'])
  })

  test('refuses what it cannot mean', async () => {
    for (const [key, operator, value] of [
      ['bytes', '=', 'many'],
      ['created_at', '>', 'soon'],
      ['name', 'in', 'x'],
      ['name', 'like', 'x'],
      ['run', '<', null],
      ['', '=', 1],
      ['name', '=', 'a\0b'],
    ] as const) {
      await expect(where(key, operator as never, value)).rejects.toMatchObject({ code: 'invalid_filter' })
    }
    await expect(names([], { scope: 'nowhere' })).rejects.toMatchObject({ code: 'scope_not_found' })
  })

  test('never throws anything but our own errors, whatever the filter', async () => {
    const key = fc.oneof(
      fc.constantFrom(
        ...'name bytes length adler32 md5 guid did_type created_at expired_at is_open scope account run taken tags energy'.split(
          ' ',
        ),
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
    )
    const value = fc.oneof(
      fc.constantFrom(
        '2026-02-30',
        '2026-01-01T23:59:60Z',
        '1e400',
        '1e99',
        '*',
        'run*',
        '-0',
        'Infinity',
        '',
        '9',
        'true',
      ),
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.double(),
      fc.jsonValue({ maxDepth: 3 }),
    )
    const operator = fc.constantFrom('=', '!=', '<', '>', '<=', '>=', 'in', 'contains')
    const term = fc.record({ key, operator, value: fc.oneof(value, fc.array(value, { maxLength: 3 })) })
    const filters = fc.array(fc.array(term, { maxLength: 3 }), { maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(filters, fc.boolean(), async (filter, recursive) => {
        try {
          await found(filter as DidFilter, { recursive })
        } catch (error) {
          if (!(error instanceof GridError)) throw error
        }
      }),
      { numRuns: 400 },
    )
  })
})

describe('among 100 000 files', () => {
  const plan = async (value: string, after?: string): Promise<string> => {
    const condition = conditionOf([[{ key: 'name', operator: '=', value }]], 'many')
    const page = { scopeId: manyId, condition, type: 'all' as const, limit: 1000, ...(after && { after }) }
    const lines = await rows(database.db, sql<{ 'QUERY PLAN': string }>`explain ${pageQuery(page)}`)
    return lines.map((line) => line['QUERY PLAN']).join('\n')
  }

  test('a name or the beginning of one is found by the index of names', async () => {
    for (const text of [
      await plan('run0007/f7001'),
      await plan('run0007*'),
      await plan('run00*', 'run0012/f12'),
    ]) {
      expect(text).toMatch(/Index.* Scan using file_scope_id_name_key/)
      expect(text).not.toMatch(/Seq Scan on file\b(?!_meta)/)
    }
  })

  test('pages follow each other without gap or repetition', async () => {
    const all = await names([[{ key: 'name', operator: '=', value: 'run00*' }]], { scope: 'many' })
    expect(all).toHaveLength(99_999)
    expect(new Set(all).size).toBe(all.length)
    expect(
      await names([[{ key: 'name', operator: '=', value: 'run0007*' }]], { scope: 'many', limit: 150 }),
    ).toHaveLength(150)
  })

  test('a search that takes too long says so, and the connection is fit for use afterwards', async () => {
    const slow: DidFilter = [[{ key: 'name', operator: '!=', value: '*r*u*n*0*/*f*' }]]
    await expect(names(slow, { scope: 'many', timeoutMs: 1 })).rejects.toMatchObject({
      code: 'search_too_slow',
    })
    expect(await names([], { limit: 1 })).toEqual(['all'])
  })
})
