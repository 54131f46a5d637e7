import { randomUUID } from 'node:crypto'
import { beforeAll } from 'vitest'
import {
  addReplicas,
  addRse,
  changeReplicaStates,
  createRseTable,
  createScope,
  declareReplicas,
  markVerified,
  type RseTable,
  removeReplicas,
  setRseAttribute,
} from '../../src/catalog/index.ts'
import {
  type Database,
  silentLogger,
  sql,
  systemPorts,
  transaction,
  type Worker,
} from '../../src/kernel/index.ts'
import { addRules, type PlacementDeps } from '../../src/placement/index.ts'
import {
  declareFiles,
  defineFlow,
  type RawDeps,
  type Recorded,
  rawWorkers,
  releaseRun,
} from '../../src/raw/index.ts'
import type { FileFacts } from '../../src/transfer/index.ts'

export const vo = 'demo'
export const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000)
export const RUN = { vo, experiment: 26, run: 101 }
const STORAGES = [
  ['KEK-DISK', 'kek', 'DISK'],
  ['KEK-TAPE', 'kek', 'TAPE'],
  ['OSAKA-DISK', 'osaka', 'DISK'],
  ['OSAKA-TAPE', 'osaka', 'TAPE'],
  ['CHICAGO-DISK', 'chicago', 'DISK'],
] as const
export type Storage = (typeof STORAGES)[number][0]

export const recorded = (name: string, more: Partial<Recorded> = {}): Recorded => ({
  ...{ name, stream: 'physics', bytes: 1000n, adler32: '0000abcd', md5: null, events: 50, ...more },
})

/** Storages of disk and tape at three sites; the test plays the detector, the transfers and the rot. */
export function rawWorld(database: Database) {
  const rse: Partial<Record<Storage, number>> = {}
  let rses: RseTable
  let deps: RawDeps
  let loops: readonly Worker[]
  let seconds = 0
  /** What lies at the landing storage, by name. */
  const landed = new Map<string, FileFacts>()
  const damaged = new Set<number>()

  beforeAll(async () => {
    const { db } = database
    const now = at(0)
    await createScope(db, { vo, now, name: 'raw', accountId: 7 })
    for (const [name, site, kind] of STORAGES) {
      rse[name] = (await addRse(db, { vo, now, name, uuid: randomUUID(), properties: { kind } })).id
      await setRseAttribute(db, { vo, now, rse: name, key: 'site', value: site })
    }
    rses = createRseTable(db)
    const { clock, ids } = systemPorts
    const placement: PlacementDeps = {
      ...{ db, clock, ids, log: silentLogger, rses, vos: async () => [vo] },
      ...{ owner: 'test', floor: () => 1, verifiedWithinSeconds: 86_400, graceSeconds: 3600 },
      copies: {
        trash: async () => undefined,
        restore: async () => undefined,
        purge: async () => undefined,
        verify: async () => true,
      },
      requestTransfers: async () => undefined,
      cancelTransfers: async () => undefined,
    }
    deps = {
      ...{ db, log: silentLogger, rses, verifiedWithinSeconds: 86_400 },
      stat: async ({ did }) => landed.get(did.name),
      copies: { verify: async ({ id }) => !damaged.has(id) },
      addRules: (tx, input) => addRules(tx, placement, input),
    }
    loops = rawWorkers(deps)
    await defineFlow(deps, {
      ...{ vo, now, accountId: 7, account: 'daq' },
      flow: {
        ...{ name: 'detector', scope: 'raw', landing: 'KEK-DISK', archive: 'KEK-TAPE' },
        centres: [
          { storages: 'OSAKA-DISK|OSAKA-TAPE', share: 1 },
          { storages: 'CHICAGO-DISK', share: 3 },
        ],
      },
    })
  })

  const signal = new AbortController().signal
  return {
    get deps() {
      return deps
    },
    get now() {
      return at(seconds)
    },
    landed,
    damaged,
    later(by: number): void {
      seconds += by
    },
    rse: (storage: Storage): number => rse[storage]!,
    declare: (files: readonly Recorded[], total: number | null = null, run = RUN.run) =>
      declareFiles(deps, {
        ...{ vo, now: at(seconds) },
        declaration: { experiment: RUN.experiment, run, flow: null, files, total },
      }),
    /** The file comes to the landing storage as it was recorded, or otherwise. */
    land(file: Recorded, more: Partial<FileFacts> = {}): void {
      const { bytes, adler32, md5 } = file
      landed.set(file.name, { bytes, adler32, md5, ...more })
    },
    async work(): Promise<void> {
      for (const loop of loops) await loop.tick(at(seconds), signal)
      seconds += 2
    },
    release: (names: readonly string[] | null = null) =>
      releaseRun(deps, { ...RUN, now: at(seconds), names, by: 'daq' }),
    /** A copy arrives and is found good. */
    async copy(file: Recorded, storage: Storage): Promise<void> {
      const { name, bytes, adler32 } = file
      const now = at(seconds)
      const rseId = rse[storage]!
      await transaction(database.db, async (tx) => {
        const files = [{ scope: 'raw', name, bytes, adler32 }]
        const [added] = await addReplicas(tx, {
          ...{ vo, now, accountId: 7, rseId, files, ignoreDuplicate: true },
        })
        const replicas = [{ fileId: added!.fileId, rseId }]
        await changeReplicaStates(tx, { vo, now, replicas, from: ['BAD'], to: 'AVAILABLE' })
        await markVerified(tx, { now, replicas })
      })
    },
    async rot(fileId: bigint, storage: Storage): Promise<void> {
      const replicas = [{ fileId, rseId: rse[storage]! }]
      await declareReplicas(database.db, {
        ...{ vo, now: at(seconds), accountId: null, state: 'BAD', reason: 'rot', replicas },
      })
    },
    async remove(fileId: bigint, storage: Storage): Promise<void> {
      const replicas = [{ fileId, rseId: rse[storage]! }]
      await removeReplicas(database.db, { vo, now: at(seconds), replicas })
    },
    async clear(): Promise<void> {
      landed.clear()
      damaged.clear()
      const tables =
        'raw_file raw_run content collection_replica collection replica bad_replica file_meta file event'
      for (const table of tables.split(' ')) await sql`delete from ${sql.ref(table)}`.execute(database.db)
    },
  }
}
