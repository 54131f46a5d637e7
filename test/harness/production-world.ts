import { beforeAll } from 'vitest'
import { type Database, silentLogger, sql, systemPorts, type Worker } from '../../src/kernel/index.ts'
import { addRules, type PlacementDeps } from '../../src/placement/index.ts'
import {
  checkDefinition,
  defineProduction,
  judgeProduction,
  listProductions,
  orderProduction,
  outputInspection,
  outputReview,
  type ProductionDeps,
  type ProductionOrder,
  productionWorkers,
  showProduction,
} from '../../src/production/index.ts'
import type { PinnedRelease } from '../../src/software/index.ts'
import { notCounted } from '../../src/storage/index.ts'
import {
  type Completion,
  completeStart,
  type LeasedJob,
  ownPilot,
  promiseOutputs,
} from '../../src/workload/index.ts'
import { at, completion, jobWorld, mika, vo } from './job-world.ts'

/** What a pilot that the test plays makes of a job; the default is what was asked for. */
export type Behaviour = (job: LeasedJob) => Partial<Completion> & {
  readonly events?: number
  readonly bytes?: bigint
  /** In the file, whatever is told; a text says why they cannot be counted. */
  readonly entries?: number | string
  readonly files?: never
}

/** Releases of the test: each has the hash that its name says. */
const pin = async (_vo: string, release: string): Promise<PinnedRelease> => ({
  ...{ repository: release.split('@')[0]!, release, revision: 1, root: `root-of-${release}` },
  masterPublicPem: 'pem',
})

const PILOT = { cores: 64, memoryMb: 1_000_000, diskMb: 10_000_000 }

/** Productions over three sites; the test plays the pilots and moves the time. */
export function productionWorld(database: Database) {
  const world = jobWorld(database)
  let deps: ProductionDeps
  let loops: readonly Worker[]
  let seconds = 0
  let review: ReturnType<typeof outputReview>

  beforeAll(() => {
    const { db } = database
    const { clock, ids } = systemPorts
    const placement: PlacementDeps = {
      ...{ db, clock, ids, log: silentLogger, rses: world.rses, vos: async () => [vo] },
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
      ...{ db, log: silentLogger, rses: world.rses },
      addRules: (tx, input) => addRules(tx, placement, input),
    }
    loops = productionWorkers(deps)
    review = outputReview(deps)
  })

  const signal = new AbortController().signal
  const identity = { mint: async () => ({ token: 't', expiresAt: at(86_400) }) }
  return {
    pilot: world.pilot,
    get rses() {
      return world.rses
    },
    get deps() {
      return deps
    },
    get now() {
      return at(seconds)
    },
    /** Lets time pass. */
    later(by: number): void {
      seconds += by
    },
    order: (name: string, order: ProductionOrder) =>
      orderProduction(deps, { vo, now: at(seconds), name, by: 'mika', order, reason: '' }),
    judge: (name: string, accept = true) =>
      judgeProduction(deps, { vo, now: at(seconds), name, by: 'noa', accept, reason: '' }),
    async define(source: string): Promise<string> {
      const read = await checkDefinition({ ...deps, software: { pin } }, vo, source, [])
      return (await defineProduction(deps, { now: at(seconds), by: mika, source, read })).name
    },
    async started(source: string): Promise<string> {
      const name = await this.define(source)
      await this.judge(name)
      await this.order(name, 'start')
      return name
    },
    show: (name: string) => showProduction(database.db, at(seconds), vo, name),
    list: () => listProductions(database.db, at(seconds), vo, 100),
    /** The loops of productions, until none of them finds anything to do. */
    async work(): Promise<void> {
      for (let idle = 0; idle < 2; ) {
        let changed = 0
        for (const loop of loops) changed += (await loop.tick(at(seconds), signal)).changed
        changed += (await world.tick('locate', at(seconds))).changed
        changed += (await world.tick('forgiveness', at(seconds))).changed
        idle = changed === 0 ? idle + 1 : 0
        seconds += 2
      }
    },
    lease: async (stamp: string, most = 16) =>
      (await world.lease(stamp, { now: at(seconds), most, free: PILOT })).jobs,
    async complete(stamp: string, job: LeasedJob, behave: Behaviour = () => ({})): Promise<void> {
      const { db } = database
      const { id: pilotId, site } = await ownPilot(db, vo, stamp)
      const { events, entries, bytes = 1_000_000_000n, ...more } = behave(job)
      const wanted = Number(job.spec.environment.KUMI_EVENTS)
      const now = at(seconds)
      const document = completion(job, { metadata: { events: events ?? wanted }, ...more })
      const files = await promiseOutputs({ db, rses: world.rses, identity } as never, {
        ...{ vo, pilotId, site, now, jobId: job.jobId, attempt: job.attempt },
        files: job.spec.outputs.map(({ pattern }, output) => ({ output, file: pattern })),
      })
      const made = files.map(({ scope, name, places }, output) => ({
        ...{ output, scope, name, rse: places[0]!.rse, bytes, adler32: '00000001', md5: 'a'.repeat(32) },
      }))
      const ok = document.outcome === 'done'
      const told = Number(document.metadata.events ?? wanted)
      const inspect = outputInspection({
        db,
        open: async () => async () => new Uint8Array(),
        counter: {
          async entries() {
            if (typeof entries === 'string') throw notCounted(entries)
            return entries ?? told
          },
        },
      })
      const deps = { db, rses: world.rses, verifyArrivals: async () => undefined, inspect, review }
      const asked = { vo, pilotId, now, completion: { ...document, files: ok ? made : [] } }
      await completeStart(deps, asked).catch((error: Error) =>
        // As the pilot does when the server refuses what it made.
        completeStart(deps, {
          ...{ vo, pilotId, now },
          completion: {
            ...{ ...document, files: [], outcome: 'failed', minor: 'Output Data Not Registered' },
            application: error.message,
          },
        }),
      )
    },
    /** Plays pilots of all sites until nothing waits any more. */
    async run(behave?: Behaviour): Promise<number> {
      let ran = 0
      for (let idle = 0; idle < 2; ) {
        await this.work()
        let jobs = 0
        for (const site of ['kek', 'osaka', 'chicago']) {
          const stamp = await world.pilot(site, at(seconds))
          for (let leased = await this.lease(stamp); leased.length > 0; leased = await this.lease(stamp)) {
            for (const job of leased) await this.complete(stamp, job, behave)
            jobs += leased.length
          }
        }
        ran += jobs
        idle = jobs === 0 ? idle + 1 : 0
        // What waits to be tried again may.
        seconds += 700
      }
      return ran
    },
    async clear(): Promise<void> {
      await world.clear()
      await sql`delete from production`.execute(database.db)
    },
  }
}
