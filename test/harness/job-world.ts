import { randomUUID } from 'node:crypto'
import { beforeAll } from 'vitest'
import {
  addCollections,
  addReplicas,
  addRse,
  addRseProtocol,
  attach,
  createRseTable,
  createScope,
  type RseTable,
  setRseAttribute,
} from '../../src/catalog/index.ts'
import { type Database, type Rng, seededRng, sql, transaction, type Worker } from '../../src/kernel/index.ts'
import { createSite } from '../../src/sites/index.ts'
import {
  addPilots,
  type Completion,
  createMarkets,
  DEFAULT_DEMAND,
  deadlineWorker,
  foldJobCounts,
  forgiveWorker,
  HALF_LIFE_MS,
  type JobSpec,
  type JobView,
  jobsByIds,
  type LeasedJob,
  leaseJobs,
  locateWorker,
  type Markets,
  type NewJobs,
  normalDemand,
  putResource,
  type Submitter,
  stateName,
  submitJobs,
} from '../../src/workload/index.ts'

export const vo = 'demo'
export const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000)
export const mika: Submitter = { vo, accountId: 7, account: 'mika', group: '/demo' }
export const noa: Submitter = { vo, accountId: 8, account: 'noa', group: '/demo' }

export const spec = (more: Partial<JobSpec> = {}): JobSpec => ({
  ...{
    executable: '/bin/true',
    arguments: [],
    environment: {},
    files: [],
    inputSandboxes: [],
    outputSandbox: [],
  },
  ...{ standardOutput: 'std.out', standardError: 'std.err', outputs: [], destination: null },
  ...{ readFromAfar: false, tries: 1, jdl: null },
  ...more,
})

export const jobs = (
  more: Partial<Omit<NewJobs, 'spec'>> & { count?: number; spec?: Partial<JobSpec> } = {},
): NewJobs => ({
  ...{ name: 'test', jobGroup: '', jobType: 'User', priority: 1 },
  items: Array.from({ length: more.count ?? 1 }, (_, n) => ({ n, parameters: {}, inputs: [] })),
  ...more,
  demand: normalDemand({ ...DEFAULT_DEMAND, ...more.demand }),
  spec: spec(more.spec),
})

export const room = {
  cores: 1,
  memoryMb: 8192,
  diskMb: 102_400,
  seconds: 1_080_000,
  platform: 'x86_64',
  tags: [],
}

const TABLES =
  'job_parameter job_sandbox sandbox job job_queue job_count job_site_count job_delta job_body job_event job_attempt job_command job_log job_request job_share job_usage job_limit pilot job_upload job_output job_history'.split(
    ' ',
  )

/** Jobs, three sites with a storage and a place for pilots each, and pilots that the test itself plays. */
export function jobWorld(database: Database) {
  let rses: RseTable
  let markets: Markets
  let loops: Record<'locate' | 'deadlines' | 'forgiveness', Worker>
  let rng: Rng = seededRng(1)
  const sites = ['kek', 'osaka', 'chicago']

  beforeAll(async () => {
    const { db } = database
    const now = at(0)
    for (const name of sites) {
      await createSite(db, now, { vo, name, title: name, country: 'JP', latitude: 0, longitude: 0 })
      const rse = `${name.toUpperCase()}-DISK`
      await addRse(db, { vo, now, name: rse, uuid: randomUUID() })
      await setRseAttribute(db, { vo, now, rse, key: 'site', value: name })
      const all = { read: 1, write: 1, delete: 1 }
      await addRseProtocol(db, {
        ...{ vo, now, rse },
        protocol: {
          ...{ scheme: 'https', hostname: `${name}.example`, port: 443, prefix: `/${vo}/`, impl: 'x' },
          domains: { lan: all, wan: { ...all, thirdPartyRead: 1, thirdPartyWrite: 1 } },
          extendedAttributes: null,
        },
      })
      await putResource(db, {
        ...{
          vo,
          site: name,
          name: `${name}-farm`,
          gateway: name,
          kind: 'local',
          maxPilots: 4,
          maxWaiting: 2,
          cluster: null,
        },
        ...room,
      })
    }
    await createScope(db, { vo, now, name: 'user.mika', accountId: 7 })
    rses = createRseTable(db)
    markets = createMarkets(db)
    loops = {
      ...{ locate: locateWorker({ db, rses }), deadlines: deadlineWorker({ db }) },
      forgiveness: forgiveWorker({ db, markets }),
    }
  })

  const signal = new AbortController().signal
  let pilots = 0
  return {
    get deps() {
      const storagesAt = async (_: string, site: string) => [`${site.toUpperCase()}-DISK`]
      return { db: database.db, rng, markets, storagesAt }
    },
    get rses() {
      return rses
    },
    get markets() {
      return markets
    },
    seed: (seed: number) => {
      rng = seededRng(seed)
    },
    submit: (list: readonly NewJobs[], options: { by?: Submitter; now?: Date; key?: string } = {}) =>
      submitJobs(database.db, {
        now: options.now ?? at(0),
        by: options.by ?? mika,
        jobs: list,
        key: options.key,
      }),
    async pilot(site = 'kek', now = at(0)): Promise<string> {
      const stamp = `pilot${++pilots}`
      const facts = {
        stamp,
        vo,
        site,
        resource: `${site}-farm`,
        state: 'Submitted',
        reference: null,
        gridType: 'DIRAC',
      }
      await addPilots(database.db, now, [facts])
      return stamp
    },
    async lease(
      stamp: string,
      options: {
        now?: Date
        most?: number
        holding?: LeasedJob[]
        free?: Partial<typeof room>
        node?: string
      } = {},
    ) {
      const { now = at(10), most = 1, holding = [], free = {}, node } = options
      return leaseJobs(this.deps, { vo, stamp, now, most, holding, node, free: { ...room, ...free } })
    },
    async view(id: bigint): Promise<JobView & { status: string }> {
      const [job] = await jobsByIds(database.db, vo, [id])
      return { ...job!, status: stateName(job!.state) }
    },
    tick: (loop: keyof typeof loops, now: Date) => loops[loop].tick(now, signal),
    fold: (now: Date) => foldJobCounts(database.db, now, HALF_LIFE_MS),
    async clear(): Promise<void> {
      await transaction(database.db, async (tx) => {
        for (const table of TABLES) await sql`delete from ${sql.ref(table)}`.execute(tx)
      })
      markets = createMarkets(database.db)
      loops.forgiveness = forgiveWorker({ db: database.db, markets })
    },
    /** A dataset of files at sites: `{ kek: ['a', 'b'], osaka: ['b'] }`. */
    async dataset(name: string, copies: Record<string, readonly string[]>): Promise<void> {
      const { db } = database
      const now = at(0)
      const collections = [{ scope: 'user.mika', name, kind: 'DATASET' as const }]
      await addCollections(db, { vo, now, accountId: 7, collections })
      for (const [site, files] of Object.entries(copies)) {
        const { id } = await rses.byName(vo, `${site.toUpperCase()}-DISK`)
        const list = files.map((file) => ({
          scope: 'user.mika',
          name: file,
          bytes: 10n,
          adler32: '00000001',
        }))
        await addReplicas(db, { vo, now, accountId: 7, rseId: id, files: list })
      }
      const all = [...new Set(Object.values(copies).flat())]
      const dids = all.map((file) => ({ scope: 'user.mika', name: file }))
      await attach(db, { vo, now, accountId: 7, attachments: [{ scope: 'user.mika', name, dids }] })
    },
  }
}

export const completion = (
  job: Pick<LeasedJob, 'jobId' | 'attempt'>,
  more: Partial<Completion> = {},
): Completion => ({
  ...{ jobId: job.jobId, attempt: job.attempt, outcome: 'done', minor: 'Execution Complete' },
  ...{ application: 'exit code 0', exitCode: 0, files: [], metadata: {}, logs: [], sandbox: null },
  ...more,
})
