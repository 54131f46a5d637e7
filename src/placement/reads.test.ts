import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { readsOf } from '../../test/harness/reads.ts'
import {
  addCollections,
  addReplicas,
  addRse,
  attach,
  availableCopies,
  countCopies,
  createRseTable,
  createScope,
  replicasOfDataset,
} from '../catalog/index.ts'
import { type Db, rows, silentLogger, sql, systemPorts } from '../kernel/index.ts'
import { closeFilledGaps, gapsOf, protectedCopies } from './gap.store.ts'
import { addRules, locksOfRule, type PlacementDeps, placementWorkers, type RuleRequest } from './index.ts'
import { fileIdsOfDatasets } from './spread.store.ts'

const database = testDatabase()
const vo = 'demo'
const now = new Date('2026-11-21T00:00:00Z')
const by = { vo, now, accountId: 1 }
const FILES = 100_000
const SMALL = 1000
let all: bigint
let small: bigint
let files: bigint[]
let kek: number

beforeAll(async () => {
  const { db } = database
  const { id: scopeId } = await createScope(db, { vo, now, name: 's', accountId: 1 })
  const add = async (name: string) => (await addRse(db, { vo, now, uuid: randomUUID(), name })).id
  kek = await add('KEK')
  const osaka = await add('OSAKA')
  await add('EMPTY')
  const collections = ['all', 'small'].map((name) => ({ scope: 's', name, kind: 'DATASET' as const }))
  ;[all, small] = (await addCollections(db, { ...by, collections })).map(({ id }) => id) as [bigint, bigint]
  await sql`insert into file (scope_id, name, bytes, account_id, created_at)
    select ${scopeId}, 'f' || i, 10, 1, ${now} from generate_series(1, ${FILES}::int) i`.execute(db)
  await sql`insert into replica (file_id, rse_id, state)
    select f.id, r.id, 'A' from file f cross join unnest(${[kek, osaka]}::int[]) r(id) where not f.is_collection`.execute(
    db,
  )
  await sql`insert into content (parent_id, child_id) select ${all}::bigint, id from file where not is_collection`.execute(
    db,
  )
  await sql`insert into content (parent_id, child_id)
    select ${small}::bigint, id from file where not is_collection and id % ${FILES / SMALL}::int = 0`.execute(
    db,
  )
  await sql`insert into counter_delta (kind, key1, key2, d_files, d_bytes)
    select 'collection', parent_id, 0, count(*), 10 * count(*) from content group by 2
    union all select 'collection_replica', parent_id, r.id, count(*), 10 * count(*)
    from content, unnest(${[kek, osaka]}::int[]) r(id) group by 2, 3`.execute(db)
  files = (
    await rows(
      db,
      sql<{ id: bigint }>`select child_id as id from content where parent_id = ${small} order by random()`,
    )
  ).map(({ id }) => id)
}, 120_000)

function depsOn(db: Db): PlacementDeps {
  const nothing = async () => undefined
  return {
    ...{ db, clock: systemPorts.clock, ids: systemPorts.ids, log: silentLogger },
    ...{ rses: createRseTable(database.db), vos: async () => [vo], owner: 'test' },
    ...{ floor: () => 1, verifiedWithinSeconds: 86_400, graceSeconds: 0 },
    copies: { trash: nothing, restore: nothing, purge: nothing, verify: async () => true },
    ...{ requestTransfers: nothing, cancelTransfers: nothing },
  }
}

const rule = async (db: Db, name: string, rseExpression: string): Promise<string> => {
  const request: RuleRequest = {
    ...{ target: { scope: 's', name }, accountId: 1, copies: 1, rseExpression, grouping: 'DATASET' },
    ...{ weight: null, expiresAt: null, locked: false, sourceRseExpression: null, activity: null },
    ...{ notification: null, purgeReplicas: false, ignoreAvailability: false, comments: null },
    ...{ priority: 3, meta: null },
  }
  return (await addRules(db, depsOn(db), { vo, now, rules: [request] }))[0]!
}
const first = async <T>(list: AsyncIterable<T>): Promise<T | undefined> => {
  for await (const item of list) return item
  return undefined
}
/** Right after a load PostgreSQL knows nothing about the tables, later it does: neither may read them whole. */
const readsLittle = async (
  name: string,
  entriesPerFile: number,
  work: (db: Db) => Promise<unknown>,
): Promise<void> => {
  const { whole, entries } = await readsOf(database.db, work)
  expect({ name, whole }).toEqual({ name, whole: [] })
  expect({ name, many: entries > entriesPerFile * SMALL ? entries : 0 }).toEqual({ name, many: 0 })
}

for (const analyzed of [false, true]) {
  const when = analyzed ? 'analyzed' : 'loaded'

  test(`what concerns a thousand files reads a thousand rows of large tables, just ${when}`, async () => {
    if (analyzed) await sql`analyze`.execute(database.db)
    const copies = files.map((fileId) => ({ fileId, rseId: kek }))
    const news = Array.from({ length: SMALL }, (_, i) => ({ scope: 's', name: `${when}/${i}`, bytes: 1n }))
    const register = (rseId: number) => (db: Db) => addReplicas(db, { ...by, rseId, files: news })
    await readsLittle('registration', 1, register(kek))
    await readsLittle('second copies', 4, register(kek + 1))
    const twice = addReplicas(database.db, { ...by, rseId: kek, files: news })
    await expect(twice).rejects.toMatchObject({ code: 'replica_exists' })
    await addCollections(database.db, {
      ...by,
      collections: [{ scope: 's', name: when, kind: 'DATASET' }],
    })
    await readsLittle('attachment', 8, (db) =>
      attach(db, { ...by, attachments: [{ scope: 's', name: when, dids: news }] }),
    )
    await readsLittle('copies counted', 3, (db) => countCopies(db, { fileIds: files }))
    await readsLittle('sources', 3, (db) => availableCopies(db, files))
    await readsLittle('protection', 3, (db) => protectedCopies(db, copies))
    const page = { rseId: kek, limit: SMALL, afterFileId: files[0]! }
    await readsLittle('release', 3, (db) => replicasOfDataset(db, { ...page, collectionId: all }))
    const never = randomUUID()
    await readsLittle('spread', 6, (db) => first(fileIdsOfDatasets(db, never, [all])))

    let complete = ''
    await readsLittle('a rule on complete data', 0.1, async (db) => {
      complete = await rule(db, 'all', analyzed ? 'KEK' : 'OSAKA')
    })
    await readsLittle('locks', 6, (db) => first(locksOfRule(db, { vo, id: complete })))
    const id = await rule(database.db, 'all', analyzed ? 'EMPTY' : 'EMPTY|EMPTY')
    await readsLittle('gaps', 3, (db) => gapsOf(db, id, SMALL))
    await readsLittle('filled gaps', 4, (db) => closeFilledGaps(db, undefined, SMALL))
    await readsLittle('gaps followed', 16, (db) => {
      const follow = placementWorkers(depsOn(db)).find((worker) => worker.name === 'placement-gaps')!
      return follow.tick(now, AbortSignal.timeout(60_000))
    })
  }, 120_000)
}
