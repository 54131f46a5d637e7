import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { rows, sql } from '../kernel/index.ts'
import { foldCounters } from './counters.store.ts'
import {
  addCollections,
  addReplicas,
  addRse,
  attach,
  changeReplicaStates,
  computePath,
  createScope,
  datasetReplicas,
  datasetsAtRse,
  detach,
  didsOfPaths,
  getDid,
  getMetadata,
  type ListedFile,
  listReplicas,
  prepareReplicas,
  type ReplicaQuery,
  type Rse,
  readReplicas,
  readRseUsage,
  removeReplicas,
  setAvailability,
  setReplicaStates,
  setTombstones,
} from './index.ts'

const database = testDatabase()
const now = new Date('2026-11-21T00:00:00Z')
const vo = 'demo'
const accountId = 1
const scope = 'user.aki'
let kek: Rse
let osaka: Rse
let store: Rse

beforeAll(async () => {
  await createScope(database.db, { vo, now, name: scope, accountId })
  await createScope(database.db, { vo, now, name: 'belle', accountId })
  kek = await addRse(database.db, { vo, now, uuid: randomUUID(), name: 'KEK' })
  osaka = await addRse(database.db, { vo, now, uuid: randomUUID(), name: 'OSAKA' })
  store = await addRse(database.db, {
    vo,
    now,
    uuid: randomUUID(),
    name: 'STORE',
    properties: { deterministic: false },
  })
})

const files = (prefix: string, count: number, bytes = 10n) =>
  Array.from({ length: count }, (_, i) => ({ scope, name: `${prefix}/${i}`, bytes, adler32: 'ffffff01' }))
const add = (rse: Rse, list: Parameters<typeof addReplicas>[1]['files'], ignoreDuplicate = false) =>
  addReplicas(database.db, { vo, now, accountId, rseId: rse.id, files: list, ignoreDuplicate })
const used = async (rse: Rse) => {
  const [usage] = await readRseUsage(database.db, { rseIds: [rse.id], now })
  return { used: usage!.used, files: usage!.files }
}
const dataset = async (name: string, children: readonly { scope: string; name: string }[]) => {
  await addCollections(database.db, {
    vo,
    now,
    accountId,
    collections: [{ scope, name, kind: 'DATASET' }],
  })
  if (children.length > 0) {
    await attach(database.db, { vo, now, accountId, attachments: [{ scope, name, dids: children }] })
  }
  return { scope, name }
}
const listed = async (query: Omit<ReplicaQuery, 'vo'>): Promise<ListedFile[]> => {
  const all: ListedFile[] = []
  for await (const page of listReplicas(database.db, { vo, ...query })) all.push(...page)
  return all
}

describe('registering', () => {
  test('copies are registered together with the names that are new', async () => {
    const before = await used(kek)
    const added = await add(kek, [
      ...files('new', 3),
      { scope, name: 'new/meta', bytes: 5n, meta: { run: 7 } },
    ])
    expect(added.every((a) => a.added)).toBe(true)
    const file = await getDid(database.db, { vo, scope, name: 'new/0' })
    expect(file).toMatchObject({ kind: 'FILE', id: added[0]!.fileId, adler32: 'ffffff01', bytes: 10n })
    expect(await used(kek)).toEqual({ used: before.used + 35n, files: before.files! + 4n })
    const [meta] = await getMetadata(database.db, { vo, dids: [{ scope, name: 'new/meta' }] })
    expect(meta!.meta).toMatchObject({ run: 7 })
  })

  test('a copy in the making may be registered again, one that is there only where duplicates are ignored', async () => {
    const copying = files('again', 1).map((f) => ({ ...f, state: 'COPYING' as const }))
    const [first] = await add(kek, copying)
    expect(await add(kek, copying)).toEqual([{ fileId: first!.fileId, added: false }])
    const before = await used(kek)
    expect(await add(kek, files('again', 1))).toEqual([{ fileId: first!.fileId, added: false }])
    expect((await used(kek)).files).toBe(before.files! + 1n)
    await expect(add(kek, files('again', 1))).rejects.toMatchObject({ code: 'replica_exists' })
    const second = await add(kek, files('again', 2), true)
    expect(second.map((a) => a.added)).toEqual([false, true])
  })

  test('new and known names may come mixed, in any order, and twice', async () => {
    await add(kek, files('mixed', 3))
    const before = await used(osaka)
    const list = files('mixed', 6)
    const named = (...places: number[]) => places.map((place) => list[place]!)
    const added = async (...places: number[]) =>
      (await add(osaka, named(...places), true)).map((a) => a.added)
    expect(await added(3, 0, 3)).toEqual([true, true, false])
    expect(await added(1, 4, 3, 1)).toEqual([true, true, false, false])
    expect(await used(osaka)).toEqual({ used: before.used + 40n, files: before.files! + 4n })
    await expect(add(osaka, named(5, 2, 0))).rejects.toMatchObject({ code: 'replica_exists' })
    expect((await used(osaka)).files).toBe(before.files! + 4n)
    const other = [list[5]!, { ...list[2]!, bytes: 11n }]
    await expect(add(osaka, other)).rejects.toMatchObject({ code: 'file_consistency_mismatch' })
  })

  test('a name keeps its content: other bytes or another checksum are refused, naming the file', async () => {
    await add(kek, files('same', 2))
    for (const other of [{ bytes: 11n }, { adler32: '00000001' }]) {
      await expect(add(osaka, [{ ...files('same', 1)[0]!, ...other }])).rejects.toMatchObject({
        code: 'file_consistency_mismatch',
        message: expect.stringContaining('user.aki:same/0'),
      })
    }
    await dataset('same.ds', [])
    await expect(add(osaka, [{ scope, name: 'same.ds', bytes: 0n }])).rejects.toMatchObject({
      code: 'did_exists',
    })
    await sql`update file set deleted_at = ${now} where name = 'same/1'`.execute(database.db)
    await expect(add(osaka, files('same', 2))).rejects.toMatchObject({ code: 'name_used_before' })
  })

  test('a file given twice in one call is one copy', async () => {
    const twice = [...files('twice', 1), ...files('twice', 1)]
    const added = await add(kek, twice)
    expect(added.map((a) => a.added)).toEqual([true, false])
    expect(added[0]!.fileId).toBe(added[1]!.fileId)
  })

  test('a path must be given where it cannot be computed, and must not differ where it can', async () => {
    const [file] = files('path', 1)
    await expect(add(store, [file!])).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(add(kek, [{ ...file!, path: 'elsewhere/0' }])).rejects.toMatchObject({
      code: 'invalid_input',
    })
    await add(kek, [{ ...file!, path: `/${computePath(kek, file!)}` }])
    const [{ fileId }] = (await add(store, [{ ...file!, path: '/raw/run7/0' }])) as unknown as [
      { fileId: bigint },
    ]
    const copies = await readReplicas(database.db, [
      { fileId, rseId: kek.id },
      { fileId, rseId: store.id },
    ])
    expect(new Map(copies.map((c) => [c.rseId, c.path]))).toEqual(
      new Map([
        [kek.id, null],
        [store.id, 'raw/run7/0'],
      ]),
    )
  })

  test('two writers of the same names, in opposite order, make each copy once', async () => {
    const list = files('race', 2000)
    const [a, b] = await Promise.all([add(kek, list, true), add(kek, [...list].reverse(), true)])
    expect([...a, ...b].filter((r) => r.added).length).toBe(2000)
  })
})

describe('states', () => {
  test('an upload is reported AVAILABLE by name; a copy that is not there is named', async () => {
    await add(
      kek,
      files('up', 2).map((f) => ({ ...f, state: 'COPYING' as const })),
    )
    const before = await used(kek)
    const report = (name: string, state: 'AVAILABLE' | 'BAD' | 'COPYING') =>
      setReplicaStates(database.db, { vo, now, rseId: kek.id, files: [{ scope, name, state }] })
    await report('up/0', 'AVAILABLE')
    await report('up/0', 'AVAILABLE')
    expect((await used(kek)).files).toBe(before.files! + 1n)
    await expect(report('up/9', 'AVAILABLE')).rejects.toMatchObject({ code: 'replica_not_found' })
    await expect(report('up/0', 'COPYING')).rejects.toMatchObject({ code: 'replica_state_conflict' })
    await expect(report('up/0', 'BAD')).rejects.toMatchObject({ code: 'replica_state_conflict' })
  })

  test('a guarded change moves only copies in the states named', async () => {
    const [a, b] = await add(kek, [files('guard', 1)[0]!, { ...files('guard', 2)[1]!, state: 'COPYING' }])
    const replicas = [a!, b!, a!].map(({ fileId }) => ({ fileId, rseId: kek.id }))
    const tombstone = new Date('2027-01-01T00:00:00Z')
    const changed = await changeReplicaStates(database.db, {
      vo,
      now,
      replicas,
      from: ['COPYING'],
      to: 'AVAILABLE',
      verifiedAt: now,
      tombstone,
    })
    expect(changed).toEqual([
      {
        fileId: b!.fileId,
        rseId: kek.id,
        state: 'AVAILABLE',
        tombstone,
        verifiedAt: now,
        path: null,
      },
    ])
  })

  test('a good copy makes a lost file available again', async () => {
    const [{ fileId }] = (await add(kek, files('lost', 1))) as unknown as [{ fileId: bigint }]
    await setAvailability(database.db, { now, fileIds: [fileId], availability: 'LOST' })
    await add(osaka, files('lost', 1))
    expect(await getDid(database.db, { vo, scope, name: 'lost/0' })).toMatchObject({
      availability: 'AVAILABLE',
    })
  })

  test('copies are prepared once, protected and released in bulk', async () => {
    const added = await add(kek, files('prep', 3))
    const replicas = added.map(({ fileId }) => ({ fileId, rseId: osaka.id }))
    expect(await prepareReplicas(database.db, { now, replicas })).toHaveLength(3)
    expect(await prepareReplicas(database.db, { now, replicas })).toHaveLength(0)
    expect(await setTombstones(database.db, { replicas, tombstone: now })).toBe(3)
    expect(await setTombstones(database.db, { replicas, tombstone: now })).toBe(0)
    expect(await setTombstones(database.db, { replicas, tombstone: null })).toBe(3)
  })
})

describe('counters', () => {
  test('completeness of a dataset is exact through every change, folded or not', async () => {
    const list = files('count', 5)
    const added = await add(kek, list)
    const did = await dataset('count.ds', list.slice(0, 4))
    const at = async (rse: Rse) => {
      const all = await datasetReplicas(database.db, { vo, dids: [did] })
      const found = all.find((r) => r.rseId === rse.id)
      return found && [found.files, found.bytes, found.availableFiles, found.availableBytes]
    }
    expect(await at(kek)).toEqual([4n, 40n, 4n, 40n])
    await add(
      osaka,
      list.map((f) => ({ ...f, state: 'COPYING' as const })),
    )
    expect(await at(osaka)).toBeUndefined()
    const replicas = added.map(({ fileId }) => ({ fileId, rseId: osaka.id }))
    await changeReplicaStates(database.db, { vo, now, replicas, from: ['COPYING'], to: 'AVAILABLE' })
    expect(await at(osaka)).toEqual([4n, 40n, 4n, 40n])
    await foldCounters(database.db)
    expect(await at(osaka)).toEqual([4n, 40n, 4n, 40n])
    await changeReplicaStates(database.db, {
      vo,
      now,
      replicas: replicas.slice(0, 1),
      from: ['AVAILABLE'],
      to: 'UNAVAILABLE',
    })
    await removeReplicas(database.db, { vo, now, replicas: replicas.slice(0, 2) })
    expect(await at(osaka)).toEqual([4n, 40n, 2n, 20n])
    await detach(database.db, { vo, now, ...did, dids: [list[3]!] })
    expect(await at(osaka)).toEqual([3n, 30n, 1n, 10n])
    expect((await datasetsAtRse(database.db, osaka.id)).map((d) => d.availableFiles)).toContain(1n)
  })

  test('attaching and a change of state at the same time lose no count', async () => {
    const list = files('both', 300)
    const added = await add(
      kek,
      list.map((f) => ({ ...f, state: 'COPYING' as const })),
    )
    const did = await dataset('both.ds', [])
    const replicas = added.map(({ fileId }) => ({ fileId, rseId: kek.id }))
    const parts = [0, 100, 200]
    await Promise.all([
      ...parts.map((n) =>
        attach(database.db, {
          vo,
          now,
          accountId,
          attachments: [{ ...did, dids: list.slice(n, n + 100) }],
        }),
      ),
      ...parts.map((n) =>
        changeReplicaStates(database.db, {
          vo,
          now,
          replicas: replicas.slice(n, n + 100),
          from: ['COPYING'],
          to: 'AVAILABLE',
        }),
      ),
      foldCounters(database.db),
    ])
    expect(await datasetReplicas(database.db, { vo, dids: [did] })).toMatchObject([
      { files: 300n, availableFiles: 300n, availableBytes: 3000n },
    ])
  })

  test('the counters of an RSE equal what a full count finds', async () => {
    const counted = await rows(
      database.db,
      sql<{ id: number; files: bigint; used: bigint }>`
        select r.rse_id as id, count(*) as files, sum(f.bytes)::bigint as used
        from replica r join file f on f.id = r.file_id where r.state = 'A' group by 1`,
    )
    expect(counted.length).toBeGreaterThan(1)
    for (const { id, ...count } of counted) {
      const [usage] = await readRseUsage(database.db, { rseIds: [id], now })
      expect({ files: usage!.files, used: usage!.used }).toEqual(count)
    }
  })
})

describe('lists', () => {
  test('containers and datasets are expanded, each file comes once, one without copies too', async () => {
    const list = files('list', 1500)
    await add(kek, list)
    await add(
      osaka,
      list.slice(0, 1).map((f) => ({ ...f, state: 'COPYING' as const })),
    )
    const bare = { scope, name: 'list/bare', bytes: 1n }
    const [{ fileId }] = (await add(osaka, [bare])) as unknown as [{ fileId: bigint }]
    await removeReplicas(database.db, { vo, now, replicas: [{ fileId, rseId: osaka.id }] })
    const first = await dataset('list.a', [...list.slice(0, 1000), bare])
    const second = await dataset('list.b', list.slice(900))
    await addCollections(database.db, {
      vo,
      now,
      accountId,
      collections: [{ scope, name: 'list.all', kind: 'CONTAINER' }],
    })
    await attach(database.db, {
      vo,
      now,
      accountId,
      attachments: [{ scope, name: 'list.all', dids: [first, second] }],
    })
    const all = await listed({
      dids: [{ scope, name: 'list.all' }, first, list[0]!],
      parents: true,
      allStates: true,
    })
    expect(all).toHaveLength(1501)
    expect(new Set(all.map((f) => f.name)).size).toBe(1501)
    expect(all[0]).toMatchObject({ name: 'list/0', parents: [first], adler32: 'ffffff01' })
    expect(all[0]!.replicas.map((r) => [r.rseId, r.state])).toEqual([
      [kek.id, 'AVAILABLE'],
      [osaka.id, 'COPYING'],
    ])
    const byName = new Map(all.map((f) => [f.name, f]))
    expect(byName.get('list/950')!.parents).toEqual([first, second])
    expect(byName.get('list/bare')!.replicas).toEqual([])
    const atOsaka = await listed({ dids: [second], rseIds: [osaka.id] })
    expect(atOsaka.every((f) => f.replicas.length === 0)).toBe(true)
    const later = new Date(now.getTime() + 1)
    expect(await listed({ dids: [first], updatedAfter: later })).toEqual([])
    expect(await listed({ dids: [first], updatedAfter: now })).toHaveLength(1000)
  })

  test('the first page is small and an unknown name is told', async () => {
    for await (const page of listReplicas(database.db, { vo, dids: [{ scope, name: 'list.a' }] })) {
      expect(page).toHaveLength(100)
      break
    }
    await expect(listed({ dids: [{ scope, name: 'nowhere' }] })).rejects.toMatchObject({
      code: 'did_not_found',
    })
  })

  test('paths lead back to names, computed or stored', async () => {
    const names = [
      { scope, name: 'deep/er/f1', bytes: 1n },
      { scope: 'belle', name: 'raw/f2', bytes: 1n },
    ]
    await add(kek, names)
    const paths = [...names.map((did) => `/${computePath(kek, did)}`), 'belle/00/00/none', 'x']
    const found = await didsOfPaths(database.db, { vo, rse: kek, paths })
    expect(found.map((did) => did?.name)).toEqual(['deep/er/f1', 'raw/f2', undefined, undefined])
    const identity = { ...kek, attributes: { lfn2pfn_algorithm: 'identity' } }
    const [same] = await didsOfPaths(database.db, { vo, rse: identity, paths: ['user/aki/deep/er/f1'] })
    expect(same).toMatchObject({ scope, name: 'deep/er/f1', kind: 'FILE' })
    await add(store, [{ ...names[0]!, path: 'tape/7' }])
    const stored = await didsOfPaths(database.db, { vo, rse: store, paths: ['tape/8', '/tape/7'] })
    expect(stored.map((did) => did?.name)).toEqual([undefined, 'deep/er/f1'])
  })
})
