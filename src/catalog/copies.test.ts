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
  datasetsOfFiles,
  fileIdsOfDataset,
  lockFiles,
  missingCopies,
  missingFileCopies,
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
let other: bigint

beforeAll(async () => {
  const { db } = database
  await createScope(db, { vo, now, name: scope, accountId })
  for (const name of ['KEK-1', 'KEK-2', 'OSAKA', 'EMPTY', 'CLOSED']) {
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
  const made = await addCollections(db, {
    vo,
    now,
    accountId,
    collections: [
      { scope, name: 'ds', kind: 'DATASET' },
      { scope, name: 'other', kind: 'DATASET' },
    ],
  })
  ;[dataset, other] = made.map((d) => d.id) as [bigint, bigint]
  const attachments = [
    { scope, name: 'ds', dids: list },
    { scope, name: 'other', dids: list.slice(3) },
  ]
  await attach(db, { vo, now, accountId, attachments })
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

test('what a dataset lacks at a storage is listed once per file and storage, page by page', async () => {
  const targets = [
    { collectionId: dataset, rseId: id('OSAKA') },
    { collectionId: other, rseId: id('OSAKA') },
    { collectionId: other, rseId: id('EMPTY') },
  ]
  await changeReplicaStates(database.db, {
    vo,
    now,
    replicas: [{ fileId: files[1]!, rseId: id('OSAKA') }],
    from: ['AVAILABLE'],
    to: 'UNAVAILABLE',
  })
  const all = await missingCopies(database.db, { targets })
  expect(all.map((m) => [files.indexOf(m.fileId), m.rseId, m.state])).toEqual([
    [1, id('OSAKA'), 'UNAVAILABLE'],
    [2, id('OSAKA'), null],
    [3, id('OSAKA'), null],
    [3, id('EMPTY'), null],
    [4, id('OSAKA'), null],
    [4, id('EMPTY'), null],
  ])
  expect(all[5]!.bytes).toBe(5n)
  const paged = []
  for (;;) {
    const last = paged.at(-1)
    const page = await missingCopies(database.db, {
      targets,
      limit: 2,
      ...(last && { after: { fileId: last.fileId, rseId: last.rseId } }),
    })
    paged.push(...page)
    if (page.length < 2) break
  }
  expect(paged).toEqual(all)
  const single = await missingFileCopies(
    database.db,
    files.map((fileId) => ({ fileId, rseId: id('KEK-2') })),
  )
  expect(single.map((m) => files.indexOf(m.fileId))).toEqual([3, 4])
})

test('the copies of a dataset at an RSE are paged by file, with state and tombstone', async () => {
  const rseId = id('KEK-2')
  const at = (ms: number) => new Date(now.getTime() + ms)
  const release = (index: number, tombstone: Date) =>
    setTombstones(database.db, { replicas: [{ fileId: files[index]!, rseId }], tombstone })
  await release(0, at(-1000))
  await release(1, at(-2000))
  await release(2, at(1000))
  await changeReplicaStates(database.db, {
    vo,
    now,
    replicas: [{ fileId: files[1]!, rseId }],
    from: ['AVAILABLE'],
    to: 'BEING_DELETED',
  })
  const held = await replicasOfDataset(database.db, { collectionId: dataset, rseId, limit: 2 })
  expect(held.map((c) => [c.state, c.tombstone])).toEqual([
    ['AVAILABLE', at(-1000)],
    ['BEING_DELETED', at(-2000)],
  ])
  const rest = await replicasOfDataset(database.db, {
    collectionId: dataset,
    rseId,
    afterFileId: held[1]!.fileId,
    limit: 2,
  })
  expect(rest.map((c) => files.indexOf(c.fileId))).toEqual([2])
})

test('files of a dataset are paged by id, and each file knows its datasets', async () => {
  const first = await fileIdsOfDataset(database.db, { collectionId: dataset, limit: 3 })
  const rest = await fileIdsOfDataset(database.db, {
    collectionId: dataset,
    afterFileId: first[2]!.fileId,
    limit: 3,
  })
  expect([...first, ...rest].map((f) => f.fileId)).toEqual(files)
  expect(await datasetsOfFiles(database.db, [files[4]!])).toEqual([
    { fileId: files[4]!, collectionId: dataset },
    { fileId: files[4]!, collectionId: other },
  ])
})

test('a locked file is skipped by those who do not wait', async () => {
  await transaction(database.db, async (tx) => {
    expect(await lockFiles(tx, [files[1]!, files[0]!])).toEqual([files[0], files[1]])
    const others = await transaction(database.db, (second) => lockFiles(second, files, { skipLocked: true }))
    expect(others).toEqual(files.slice(2))
  })
})
