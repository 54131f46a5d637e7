import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { transaction } from '../kernel/index.ts'
import {
  addCollections,
  addReplicas,
  addRse,
  attach,
  availableCopies,
  changeReplicaStates,
  countCopies,
  createScope,
  lockFiles,
  type Rse,
  replicasOfDataset,
  setRseAttribute,
  setTombstones,
  updateRse,
} from './index.ts'

const database = testDatabase()
const now = new Date('2026-11-21T00:00:00Z')
const vo = 'demo'
const scope = 'belle'
const accountId = 1
const rses: Record<string, Rse> = {}
const id = (name: string) => rses[name]!.id
let files: bigint[]
let dataset: bigint

beforeAll(async () => {
  const { db } = database
  await createScope(db, { vo, now, name: scope, accountId })
  for (const name of ['KEK-1', 'KEK-2', 'OSAKA', 'CLOSED']) {
    rses[name] = await addRse(db, { vo, now, uuid: randomUUID(), name })
  }
  for (const rse of ['KEK-1', 'KEK-2']) await setRseAttribute(db, { vo, now, rse, key: 'site', value: 'KEK' })
  await updateRse(db, { vo, now, name: 'CLOSED', properties: { canRead: false } })
  const list = Array.from({ length: 5 }, (_, i) => ({ scope, name: `f${i}`, bytes: BigInt(i + 1) }))
  const add = (rse: string, count: number) =>
    addReplicas(db, { vo, now, accountId, rseId: id(rse), files: list.slice(0, count) })
  files = (await add('KEK-1', 5)).map((f) => f.fileId)
  await add('KEK-2', 3)
  await add('OSAKA', 2)
  await add('CLOSED', 1)
  const collections = [{ scope, name: 'ds', kind: 'DATASET' as const }]
  dataset = (await addCollections(db, { vo, now, accountId, collections }))[0]!.id
  await attach(db, { vo, now, accountId, attachments: [{ scope, name: 'ds', dids: list }] })
})

test('copies are counted per file, and sites once however many storages they have', async () => {
  const count = async (input: Omit<Parameters<typeof countCopies>[1], 'fileIds'>) =>
    (await countCopies(database.db, { fileIds: files, ...input })).map((c) => [c.copies, c.failureDomains])
  expect(await count({})).toEqual([
    [4, 3],
    [3, 2],
    [2, 1],
    [1, 1],
    [1, 1],
  ])
  expect((await count({ readableOnly: true }))[0]).toEqual([3, 2])
  expect(await count({ exceptRseIds: [id('KEK-1'), id('OSAKA')] })).toEqual([
    [2, 2],
    [1, 1],
    [1, 1],
    [0, 0],
    [0, 0],
  ])
})

test('only AVAILABLE copies at readable storages are sources', async () => {
  const sources = await availableCopies(database.db, [files[0]!])
  expect(sources.map((s) => s.rseId).sort()).toEqual([id('KEK-1'), id('KEK-2'), id('OSAKA')].sort())
})

test('copies of a dataset at a storage come page by page, also where pages hold none', async () => {
  const rseId = id('OSAKA')
  const tombstone = new Date(now.getTime() + 1000)
  const key = { fileId: files[1]!, rseId }
  await setTombstones(database.db, { replicas: [key], tombstone })
  await changeReplicaStates(database.db, {
    ...{ vo, now, replicas: [key], from: ['AVAILABLE'], to: 'UNAVAILABLE' },
  })
  const page = (limit: number, after?: bigint) =>
    replicasOfDataset(database.db, {
      ...{ collectionId: dataset, rseId, limit },
      ...(after !== undefined && { afterFileId: after }),
    })
  const all = [
    { fileId: files[0]!, rseId, state: 'AVAILABLE', tombstone: null },
    { ...key, state: 'UNAVAILABLE', tombstone },
  ]
  expect(await page(10)).toEqual({ copies: all, next: undefined })
  expect(await page(1)).toEqual({ copies: [all[0]], next: files[0] })
  expect(await page(3, files[0])).toEqual({ copies: [all[1]], next: files[3] })
  expect(await page(3, files[3])).toEqual({ copies: [], next: undefined })
})

test('a locked file is skipped by those who do not wait', async () => {
  await transaction(database.db, async (tx) => {
    expect(await lockFiles(tx, [files[1]!, files[0]!])).toEqual([files[0], files[1]])
    const others = await transaction(database.db, (second) => lockFiles(second, files, { skipLocked: true }))
    expect(others).toEqual(files.slice(2))
  })
})
