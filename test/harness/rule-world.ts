import { randomUUID } from 'node:crypto'
import { beforeAll } from 'vitest'
import {
  addCollections,
  addReplicas,
  addRse,
  attach,
  changeReplicaStates,
  createRseTable,
  createScope,
  prepareReplicas,
  type RseTable,
  setRseAttribute,
} from '../../src/catalog/index.ts'
import { type Database, silentLogger, systemPorts, type Worker } from '../../src/kernel/index.ts'
import {
  addRules,
  type CopyOutcome,
  type CopyWish,
  getRule,
  type PlacementDeps,
  placementWorkers,
  type RuleRequest,
  settle,
} from '../../src/placement/index.ts'

export const vo = 'demo'
export const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000)
export const did = (name: string) => ({ scope: 's', name })
const now = at(0)
const STORAGES = [
  ['KEK-DISK', 'kek', 'JP'],
  ['KEK-POOL', 'kek', 'JP'],
  ['OSAKA-DISK', 'osaka', 'JP'],
  ['CHICAGO-DISK', 'chicago', 'US'],
] as const

export const request = (name: string, more: Partial<RuleRequest> = {}): RuleRequest => ({
  ...{ target: did(name), accountId: 1, copies: 1, rseExpression: '*', grouping: 'DATASET', weight: null },
  ...{ expiresAt: null, locked: false, sourceRseExpression: null, activity: null, notification: null },
  ...{ purgeReplicas: false, ignoreAvailability: false, comments: null, priority: 3, meta: null },
  ...more,
})

/** Four storages at three sites, and the loops of placement; the test itself says what became of the copies asked for. */
export function ruleWorld(database: Database) {
  const wishes: CopyWish[] = []
  const canceled: { fileId: bigint; dstRseId: number }[] = []
  const rse: Record<string, number> = {}
  let deps: PlacementDeps
  let loops: readonly Worker[]
  let rses: RseTable

  beforeAll(async () => {
    const { db } = database
    await createScope(db, { vo, now, name: 's', accountId: 1 })
    for (const [name, site, country] of STORAGES) {
      rse[name] = (await addRse(db, { vo, now, name, uuid: randomUUID() })).id
      for (const [key, value] of Object.entries({ site, country })) {
        await setRseAttribute(db, { vo, now, rse: name, key, value })
      }
    }
    rses = createRseTable(db)
    const { clock, ids } = systemPorts
    deps = {
      ...{ db, clock, ids, log: silentLogger, rses, vos: async () => [vo] },
      ...{ owner: 'test', floor: () => 1, verifiedWithinSeconds: 86_400, graceSeconds: 3600 },
      copies: {
        trash: async () => undefined,
        restore: async () => undefined,
        purge: async () => undefined,
        verify: async () => true,
      },
      async requestTransfers(tx, input) {
        wishes.push(...input.wishes)
        await prepareReplicas(tx, {
          now: input.now,
          replicas: input.wishes.map((wish) => ({ fileId: wish.fileId, rseId: wish.dstRseId })),
        })
      },
      cancelTransfers: async (_tx, { keys }) => canceled.push(...keys),
    }
    loops = placementWorkers(deps)
  })

  const outcome = (wish: CopyWish, result: CopyOutcome['result']): CopyOutcome => ({
    ...{ fileId: wish.fileId, dstRseId: wish.dstRseId, srcRseId: rse['KEK-DISK']!, result },
    ...{ attempts: 1, nextTry: null },
    error: result === 'failed' ? { code: 'disk_full', message: 'no space left', party: 'destination' } : null,
  })
  return {
    rse,
    canceled,
    outcome,
    get deps() {
      return deps
    },
    get loops() {
      return loops
    },
    get rses() {
      return rses
    },
    /** A dataset of files that lie at one storage. */
    async recorded(name: string, files: string[], where = 'KEK-DISK'): Promise<void> {
      const { db } = database
      await addCollections(db, { vo, now, accountId: 1, collections: [{ ...did(name), kind: 'DATASET' }] })
      await addReplicas(db, {
        ...{ vo, now, accountId: 1, rseId: rse[where]! },
        files: files.map((file) => ({ ...did(file), bytes: 10n, adler32: '00000001' })),
      })
      await attach(db, { vo, now, accountId: 1, attachments: [{ ...did(name), dids: files.map(did) }] })
    },
    add: async (name: string, more: Partial<RuleRequest> = {}) =>
      (await addRules(database.db, deps, { vo, now, rules: [request(name, more)] }))[0]!,
    rule: (id: string) => getRule(database.db, { vo, id }),
    /** Lets every loop run until none of them finds anything to do; the deleter only when told. */
    async work(time = now, options: { deleting?: boolean } = {}): Promise<void> {
      for (let idle = 0; idle < 2; ) {
        let changed = 0
        for (const worker of loops) {
          if (options.deleting || !/delete|trash/.test(worker.name))
            changed += (await worker.tick(time, AbortSignal.timeout(5000))).changed
        }
        idle = changed === 0 ? idle + 1 : 0
      }
    },
    /** What transfer does when copies end well. */
    async arrive(list: readonly CopyWish[]): Promise<void> {
      const replicas = list.map((wish) => ({ fileId: wish.fileId, rseId: wish.dstRseId }))
      const from = ['COPYING', 'BAD', 'SUSPICIOUS'] as const
      await changeReplicaStates(database.db, { vo, now, replicas, from, to: 'AVAILABLE', verifiedAt: now })
      await settle(database.db, { now, outcomes: list.map((wish) => outcome(wish, 'done')) })
    },
    /** The copies asked for since the last look. */
    taken: () => wishes.splice(0),
  }
}
