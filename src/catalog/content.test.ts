import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { row, rows, sql } from '../kernel/index.ts'
import {
  addCollections,
  addFiles,
  ancestorsOf,
  attach,
  counterFolder,
  type Did,
  datasetsOf,
  deleteCollections,
  detach,
  findDids,
  getDid,
  listContent,
  listFiles,
  listParents,
  setStatus,
} from './index.ts'
import { createScope } from './scope.ts'

const database = testDatabase()
const vo = 'demo'
const now = new Date('2026-01-01T00:00:00Z')
const by = { vo, now, accountId: 1 }
const did = (name: string): Did => ({ scope: 's', name })
const file = (name: string, bytes = 10n) => ({ ...did(name), bytes, adler32: '0000abcd' })
const dataset = (...names: string[]) =>
  addCollections(database.db, {
    ...by,
    collections: names.map((n) => ({ ...did(n), kind: 'DATASET' as const })),
  })
const container = (...names: string[]) =>
  addCollections(database.db, {
    ...by,
    collections: names.map((n) => ({ ...did(n), kind: 'CONTAINER' as const })),
  })
const put = (parent: string, ...names: string[]) =>
  attach(database.db, { ...by, attachments: [{ ...did(parent), dids: names.map(did) }] })
const files = (...names: string[]) => addFiles(database.db, { ...by, files: names.map((n) => file(n)) })
const count = async (name: string) => {
  const found = await getDid(database.db, { vo, ...did(name) })
  return found.kind === 'FILE' ? undefined : [found.files, found.bytes]
}

async function all<T>(list: AsyncIterable<T[]>): Promise<T[]> {
  const found: T[] = []
  for await (const page of list) found.push(...page)
  return found
}

beforeAll(() => createScope(database.db, { vo, now, name: 's', accountId: 1 }))

describe('names', () => {
  test('are unique over files, datasets and containers, and never used twice', async () => {
    await files('f1')
    await dataset('d1')
    await expect(dataset('f1')).rejects.toMatchObject({ code: 'did_exists' })
    await expect(container('d1')).rejects.toMatchObject({ code: 'did_exists' })
    await expect(files('d1')).rejects.toMatchObject({ kind: 'conflict' })
    const [gone] = await dataset('gone')
    await deleteCollections(database.db, { vo, now, ids: [gone!.id] })
    await expect(dataset('gone')).rejects.toMatchObject({ code: 'name_used_before' })
    expect(await findDids(database.db, { vo, dids: [did('gone'), did('f1')] })).toMatchObject([
      undefined,
      { kind: 'FILE' },
    ])
  })

  test('one of many who create the same name at the same time succeeds', async () => {
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => (i % 2 ? dataset('raced') : container('raced'))),
    )
    expect(tries.filter((t) => t.status === 'fulfilled')).toHaveLength(1)
  })

  test('all of a request or none is created', async () => {
    await expect(dataset('fresh', 'd1')).rejects.toMatchObject({ code: 'did_exists' })
    expect(await findDids(database.db, { vo, dids: [did('fresh')] })).toEqual([undefined])
    await expect(dataset('x', 'x')).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(dataset('../x')).rejects.toMatchObject({ code: 'invalid_name' })
  })
})

describe('content', () => {
  test('of a dataset is counted exactly, before and after folding', async () => {
    await files('a', 'b', 'c')
    await dataset('counted')
    await put('counted', 'a', 'b', 'c')
    expect(await count('counted')).toEqual([3n, 30n])
    await detach(database.db, { vo, now, ...did('counted'), dids: [did('b')] })
    expect(await count('counted')).toEqual([2n, 20n])
    await counterFolder(database.db).tick(now, AbortSignal.timeout(1000))
    expect(await count('counted')).toEqual([2n, 20n])
    expect((await all(listContent(database.db, { vo, ...did('counted') }))).map((d) => d.name)).toEqual([
      'a',
      'c',
    ])
  })

  test('a repeated child is named and nothing of the request is attached', async () => {
    await files('p', 'q', 'r')
    await dataset('once')
    await put('once', 'p')
    await expect(put('once', 'q', 'p', 'r')).rejects.toMatchObject({
      code: 'duplicate_content',
      details: { duplicates: ['s:p'] },
    })
    await expect(put('once', 'q', 'q')).rejects.toMatchObject({ code: 'duplicate_content' })
    expect(await count('once')).toEqual([1n, 10n])
    const again = { ...did('once'), dids: ['q', 'p', 'q'].map(did) }
    expect(await attach(database.db, { ...by, attachments: [again], ignoreDuplicate: true })).toEqual({
      attached: 1,
    })
  })

  test('goes only where it belongs: files in datasets, collections in containers, nothing in closed ones', async () => {
    await files('x1')
    await dataset('shut', 'inner')
    await container('outer')
    await setStatus(database.db, { vo, now, ...did('shut'), open: false })
    await expect(put('shut', 'x1')).rejects.toMatchObject({ code: 'collection_closed' })
    await expect(put('outer', 'x1')).rejects.toMatchObject({ code: 'unsupported_operation' })
    await expect(put('inner', 'shut')).rejects.toMatchObject({ code: 'unsupported_operation' })
    await expect(put('x1', 'shut')).rejects.toMatchObject({ code: 'unsupported_operation' })
    await expect(put('outer', 'nowhere')).rejects.toMatchObject({ code: 'did_not_found' })
    await setStatus(database.db, { vo, now, ...did('inner'), monotonic: true })
    await put('inner', 'x1')
    const out = detach(database.db, { vo, now, ...did('inner'), dids: [did('x1')] })
    await expect(out).rejects.toMatchObject({ code: 'collection_monotonic' })
  })

  test('containers count each dataset once and never lie below themselves', async () => {
    await files('k1', 'k2')
    await dataset('leaf')
    await container('top', 'left', 'right')
    await put('leaf', 'k1', 'k2')
    await put('left', 'leaf')
    await put('right', 'leaf')
    await put('top', 'left', 'right')
    expect(await count('top')).toEqual([2n, 20n])
    expect((await all(listFiles(database.db, { vo, dids: [did('top')] }))).map((f) => f.name)).toEqual([
      'k1',
      'k2',
    ])
    expect((await listParents(database.db, { vo, ...did('leaf') })).map((d) => d.name)).toEqual([
      'left',
      'right',
    ])
    await expect(put('left', 'top')).rejects.toMatchObject({ code: 'would_make_cycle' })
    await expect(put('left', 'left')).rejects.toMatchObject({ code: 'would_make_cycle' })
    const [leaf, top] = await findDids(database.db, { vo, dids: [did('leaf'), did('top')] })
    expect(await datasetsOf(database.db, [top!.id])).toEqual([leaf!.id])
    expect((await ancestorsOf(database.db, [leaf!.id])).map((p) => p.ancestorId)).toContain(top!.id)
  })

  test('two containers put into each other at the same moment do not close a circle', async () => {
    await container('ring1', 'ring2')
    const tries = await Promise.allSettled([put('ring1', 'ring2'), put('ring2', 'ring1')])
    expect(tries.filter((t) => t.status === 'fulfilled')).toHaveLength(1)
  })

  test('a hundred thousand files are attached in one call, and one duplicate among them refuses all', async () => {
    const names = Array.from({ length: 100_000 }, (_, i) => `big/${String(i).padStart(6, '0')}`)
    await addFiles(database.db, { ...by, files: names.map((name) => file(name)) })
    await dataset('big')
    await put('big', names[77_777]!)
    await expect(put('big', ...names)).rejects.toMatchObject({ details: { duplicates: ['s:big/077777'] } })
    expect(await count('big')).toEqual([1n, 10n])
    await put('big', ...names.filter((_, i) => i !== 77_777))
    expect(await count('big')).toEqual([100_000n, 1_000_000n])
  }, 120_000)
})

test('counters equal the truth whatever is attached and detached at the same time', async () => {
  const names = Array.from({ length: 12 }, (_, i) => `n${i}`)
  await files(...names)
  let round = 0
  const change = fc.record({
    add: fc.boolean(),
    at: fc.nat(2),
    files: fc.uniqueArray(fc.nat(11), { minLength: 1 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 2, maxLength: 10 }), async (changes) => {
      round++
      const parents = [0, 1, 2].map((i) => `prop-${round}-${i}`)
      await dataset(...parents)
      await Promise.all(
        changes.map(async ({ add, at, files: chosen }) => {
          const dids = chosen.map((i) => did(names[i]!))
          const parent = did(parents[at]!)
          if (add)
            await attach(database.db, { ...by, attachments: [{ ...parent, dids }], ignoreDuplicate: true })
          else await detach(database.db, { vo, now, ...parent, dids }).catch(() => undefined)
          await counterFolder(database.db).tick(now, AbortSignal.timeout(1000))
        }),
      )
      for (const name of parents) {
        const truth = await row(
          database.db,
          sql<{ n: bigint }>`select count(*) as n from content k join collection c on c.id = k.parent_id
            where c.name = ${name}`,
        )
        expect((await count(name))?.[0]).toBe(truth!.n)
      }
    }),
    { numRuns: 25, seed: 42 },
  )
  expect(await rows(database.db, sql`select 1 from collection where n_files < 0`)).toEqual([])
}, 120_000)
