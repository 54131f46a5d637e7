import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { GridError } from '../kernel/index.ts'
import {
  addCollections,
  addFiles,
  attach,
  createScope,
  deleteMetadata,
  getMetadata,
  type Metadata,
  setMetadata,
} from './index.ts'

const database = testDatabase()
const vo = 'demo'
const now = new Date('2026-01-01T00:00:00Z')
const by = { vo, now, accountId: 7 }
const did = (name: string) => ({ scope: 's', name })
const set = (name: string, meta: Metadata, recursive = false) =>
  setMetadata(database.db, { vo, now, changes: [{ ...did(name), meta }], recursive })
const get = async (name: string, inherit = false) =>
  (await getMetadata(database.db, { vo, dids: [did(name)], inherit }))[0]!
const drop = (name: string, key: string) => deleteMetadata(database.db, { vo, now, ...did(name), key })

beforeAll(async () => {
  await createScope(database.db, { vo, now, name: 's', accountId: 7 })
  const collection = (name: string, kind: 'DATASET' | 'CONTAINER') => ({ ...did(name), kind })
  await addCollections(database.db, {
    ...by,
    collections: [collection('d', 'DATASET'), collection('e', 'DATASET'), collection('c', 'CONTAINER')],
  })
  await addFiles(database.db, {
    ...by,
    files: [
      { ...did('f'), bytes: 5n, adler32: 'abcd' },
      { ...did('g'), bytes: 6n },
      { ...did('h'), bytes: 1n },
    ],
  })
  await attach(database.db, {
    ...by,
    attachments: [
      { ...did('d'), dids: [did('f'), did('g')] },
      { ...did('c'), dids: [did('d'), did('e')] },
    ],
  })
})

test('facts of the catalogue are read like metadata, and conventional keys are there unset', async () => {
  const file = await get('f')
  expect(file.columns).toMatchObject({
    ...{ scope: 's', name: 'f', did_type: 'FILE', account_id: 7, bytes: 5n, length: 1n, adler32: '0000abcd' },
    ...{ md5: null, guid: null, is_open: null, availability: 'AVAILABLE', created_at: now, run_number: null },
  })
  expect((await get('c')).columns).toMatchObject({
    did_type: 'CONTAINER',
    bytes: 11n,
    length: 2n,
    is_open: true,
  })
  expect(file.meta).toEqual({})
})

test('keys are set, laid over one another and removed by null', async () => {
  await set('d', { a: 1, project: 'belle', nested: { x: null } })
  await set('d', { a: 'two', b: [1, 2], project: null })
  expect((await get('d')).meta).toEqual({ a: 'two', b: [1, 2], nested: { x: null } })
  expect((await get('d')).columns.project).toBeNull()
  await drop('d', 'b')
  await expect(drop('d', 'b')).rejects.toMatchObject({ code: 'metadata_key_not_found' })
  await expect(drop('h', 'b')).rejects.toMatchObject({ code: 'metadata_key_not_found' })
  await set('d', { a: null, nested: null })
  expect((await get('d')).meta).toEqual({})
})

test('many names are set at once, the later word for a name wins, and nothing is set when one is missing', async () => {
  const change = (name: string, meta: Metadata) => ({ ...did(name), meta })
  const changes = [change('g', { x: 1, y: 1 }), change('e', { x: 2 }), change('g', { x: 3, y: null })]
  await setMetadata(database.db, { vo, now, changes })
  expect([(await get('g')).meta, (await get('e')).meta]).toEqual([{ x: 3 }, { x: 2 }])
  await expect(
    setMetadata(database.db, { vo, now, changes: [change('g', { x: 9 }), change('nobody', { x: 9 })] }),
  ).rejects.toMatchObject({ code: 'did_not_found' })
  expect((await get('g')).meta).toEqual({ x: 3 })
})

test('recursively set keys reach everything below', async () => {
  await set('c', { campaign: 'mc1', level: 1 }, true)
  for (const name of ['c', 'd', 'e', 'f', 'g']) {
    expect((await get(name)).columns.campaign).toBe('mc1')
  }
  expect((await get('h')).columns.campaign).toBeNull()
})

test('a file inherits from what it lies in, the nearest word winning', async () => {
  await set('c', { from: 'c', top: true })
  await set('d', { from: 'd' })
  expect((await get('g', true)).meta).toEqual({ from: 'd', top: true, level: 1, x: 3 })
  expect((await get('g')).meta).toEqual({ level: 1, x: 3 })
})

test('the end of life of a collection and the GUID of a file are set like metadata', async () => {
  await set('e', { lifetime: 60 })
  expect((await get('e')).columns.expired_at).toEqual(new Date('2026-01-01T00:01:00Z'))
  await set('e', { expired_at: '2027-01-31T00:00:00' })
  expect((await get('e')).columns.expired_at).toEqual(new Date('2027-01-31T00:00:00Z'))
  await drop('e', 'lifetime')
  expect((await get('e')).columns.expired_at).toBeNull()
  await expect(drop('e', 'lifetime')).rejects.toMatchObject({ code: 'metadata_key_not_found' })
  await set('f', { guid: '00112233445566778899AABBCCDDEEFF' })
  expect((await get('f')).columns.guid).toBe('00112233-4455-6677-8899-aabbccddeeff')
})

test('what the catalogue keeps itself, and what it cannot keep, is refused', async () => {
  const refused: [string, Metadata][] = [
    ['f', { bytes: 1 }],
    ['f', { adler32: 'x' }],
    ['d', { is_open: false }],
    ['f', { lifetime: 5 }],
    ['d', { guid: '0'.repeat(32) }],
    ['f', { guid: 'no' }],
    ['d', { lifetime: 'long' }],
    ['d', { expired_at: 'soon' }],
    ['d', { ['k'.repeat(300)]: 1 }],
    ['d', { key: 'a\0b' }],
    ['d', { key: Number.NaN }],
  ]
  for (const [name, meta] of refused) {
    await expect(set(name, meta)).rejects.toMatchObject({ code: 'invalid_metadata' })
  }
  await expect(drop('f', 'bytes')).rejects.toMatchObject({ code: 'invalid_metadata' })
})

test('any JSON either comes back as it was set or is refused', async () => {
  const anyMeta = fc.dictionary(fc.string({ unit: 'binary', maxLength: 6 }), fc.jsonValue({ maxDepth: 3 }), {
    maxKeys: 4,
    noNullPrototype: true,
  })
  const odd = { ['__proto__']: 1 }
  await fc.assert(
    fc.asyncProperty(fc.oneof(anyMeta, fc.constant(odd)), async (meta) => {
      try {
        await set('h', meta as Metadata)
      } catch (error) {
        if (!(error instanceof GridError)) throw error
        return
      }
      const kept = (await get('h')).meta
      for (const [key, value] of Object.entries(meta)) {
        const expected = value === null ? undefined : JSON.parse(JSON.stringify(value))
        expect(Object.hasOwn(kept, key) ? kept[key] : undefined).toEqual(expected)
        if (expected !== undefined) await drop('h', key)
      }
    }),
    { numRuns: 150 },
  )
})
