import { type Db, type Ids, type Tx, transaction, type Worker } from '../kernel/index.ts'
import { commandGateway, exclusionOf } from '../sites/index.ts'
import { loseStarts } from './end.ts'
import { invalidJob, pilotExists, pilotMissing, resourceMissing } from './errors.ts'
import { ownPilot } from './lease.ts'
import { changePilots, type PilotChange } from './pilot-search.store.ts'
import * as store from './pilots.store.ts'
import { allowedPilots, judgePlace, matchable, pilotsToStart } from './provision.ts'
import type { Markets } from './queues.ts'

export type { NewResource, PilotView, ResourceRow } from './pilots.store.ts'
export { pilotsOf, resourcesOf } from './pilots.store.ts'

/** A pilot that was ordered must be heard of within this time. */
const START_MS = 3_600_000
const TEST_MS = 300_000
const BATCH = 200
const EVERY_MS = 2_000
const ENDS_LOOKED_AT = 3

export interface ProvisionDeps {
  readonly db: Db
  readonly ids: Ids
  readonly markets: Markets
}

/** Adds a place or changes what it offers. One that is to have no pilots is emptied: those there take no more jobs. */
export const putResource = (db: Db, resource: store.NewResource): Promise<store.ResourceRow> =>
  transaction(db, async (tx) => {
    const made = await store.putResource(tx, resource)
    if (made.maxPilots === 0) await store.drainPilots(tx, made.vo, made.name)
    return made
  })

/** Starts pilots where waiting jobs would run, through the gateway of the site. */
export function provisionWorker({ db, ids, markets }: ProvisionDeps): Worker {
  return {
    name: 'pilot-provision',
    wakeOn: ['workload'],
    async tick(now) {
      const nextWake = new Date(now.getTime() + EVERY_MS)
      await transaction(db, async (tx) => {
        // Two servers that count at once would both start the pilots that are wanted once.
        if (await store.takeTurn(tx)) await provision(tx, now)
      })
      return { changed: 0, nextWake }
    },
  }

  async function provision(tx: Tx, now: Date): Promise<void> {
    const resources = await store.resourcesOf(tx, null)
    const counts = new Map((await store.pilotCounts(tx)).map((count) => [count.resourceId, count]))
    const ends = await store.lastEnds(tx, ENDS_LOOKED_AT)
    for (const vo of new Set(resources.map((resource) => resource.vo))) {
      const market = await markets.of(vo, now, true)
      for (const known of resources.filter((resource) => resource.vo === vo)) {
        const own = ends.filter(({ resourceId }) => resourceId === known.id)
        const pause = judgePlace(known, own, now)
        if (pause) await store.pauseResource(tx, { id: known.id, ...pause })
        const resource = pause
          ? { ...known, pausedUntil: pause.until, pauseMs: pause.pauseMs, pauseReason: pause.reason }
          : known
        const count = counts.get(resource.id) ?? { waiting: 0, running: 0 }
        const place = { site: resource.site, resource: resource.name }
        const most = allowedPilots(resource, exclusionOf(market.exclusions, place, now))
        const jobs = matchable(market, resource, now)
        const start = pilotsToStart({ ...resource, maxPilots: most }, count, jobs, now)
        if (start > 0) await orderPilots(tx, resource, start, now)
      }
    }
  }

  async function orderPilots(tx: Tx, resource: store.ResourceRow, count: number, now: Date): Promise<void> {
    const { vo, site } = resource
    const stamps = Array.from({ length: count }, () => ids.uuid().replaceAll('-', ''))
    const deadline = new Date(now.getTime() + START_MS)
    await store.insertPilots(
      tx,
      now,
      deadline,
      stamps.map((stamp) => ({
        ...{ stamp, vo, resourceId: resource.id, site, resource: resource.name },
        ...{ state: 'Submitted', reference: null, gridType: resource.kind },
      })),
    )
    const payload = { ...placeOf(resource), stamps }
    const order = { vo, gateway: resource.gateway, kind: 'pilots', payload, lifetimeMs: START_MS }
    await commandGateway(tx, now, ids, order)
  }
}

/** What a gateway must know of a place. */
function placeOf(resource: store.ResourceRow) {
  const { kind, name, cluster, cores, memoryMb, diskMb, seconds, platform, tags } = resource
  const offer = { cores, memoryMb, diskMb, seconds, platform, tags }
  return { batch: kind, resource: name, ...(cluster && { cluster }), offer }
}

/** Asks the gateway of a place how far it gets there; the number of the order. Throws resource_not_found. */
export async function testResource(
  { db, ids }: Pick<ProvisionDeps, 'db' | 'ids'>,
  input: { vo: string; name: string; now: Date },
): Promise<string> {
  const { vo, name, now } = input
  const resource = (await store.resourcesOf(db, vo)).find((known) => known.name === name)
  if (!resource) throw resourceMissing(`There is no place ${name} that runs jobs.`)
  const order = { vo, gateway: resource.gateway, kind: 'test-pilots', payload: placeOf(resource) }
  return commandGateway(db, now, ids, { ...order, lifetimeMs: TEST_MS })
}

/** Whom a gateway's tokens for one of its places are for. Throws resource_not_found, also where that takes no tokens. */
export async function audienceOfPlace(
  db: Db,
  { vo, gateway, place }: { vo: string; gateway: string; place: string },
): Promise<string> {
  const found = (await store.resourcesOf(db, vo)).find(
    (known) => known.name === place && known.gateway === gateway,
  )
  const audience = found?.cluster?.audience
  if (typeof audience !== 'string' || audience === '')
    throw resourceMissing(`The gateway ${gateway} has no place ${place} that takes tokens.`)
  return audience
}

/** Registers pilots that somebody else started. Throws pilot_exists. */
export async function addPilots(
  db: Db,
  now: Date,
  pilots: readonly Omit<store.NewPilot, 'resourceId'>[],
): Promise<void> {
  if (pilots.some(({ stamp }) => !/^[A-Za-z0-9_.-]{1,32}$/.test(stamp)))
    throw invalidJob('A pilot stamp has 1 to 32 letters, digits, "_", "-" or ".".')
  await transaction(db, async (tx) => {
    const deadline = new Date(now.getTime() + START_MS)
    const made = await store.insertPilots(
      tx,
      now,
      deadline,
      pilots.map((pilot) => ({ ...pilot, resourceId: null })),
    )
    if (made.length < pilots.length) {
      const known = pilots.find(({ stamp }) => !made.includes(stamp))
      throw pilotExists(`There is a pilot ${known?.stamp} already.`)
    }
  })
}

/** What somebody beside the grid tells of a pilot; null: nothing. */
export interface PilotTold extends PilotChange {
  readonly state: string | null
}

/** Writes what is told of pilots; those that ended take no job with them. Throws pilot_not_found, and then nothing is written. */
export async function tellOfPilots(
  db: Db,
  input: { vo: string; now: Date; told: readonly PilotTold[] },
): Promise<void> {
  const { vo, now, told } = input
  await transaction(db, async (tx) => {
    const deadline = new Date(now.getTime() + START_MS)
    const states = told.flatMap(({ stamp, state, reason }) =>
      state === null ? [] : [{ stamp, state, reason: reason ?? '' }],
    )
    const ended = states.filter((one): one is store.EndedPilot => isEnd(one.state))
    const alive = states.filter(({ state }) => !isEnd(state))
    await endWithJobs(tx, now, vo, ended)
    const known = new Set(await changePilots(tx, vo, told))
    const strange = told.find(({ stamp }) => !known.has(stamp))
    if (strange) throw pilotMissing(`There is no pilot ${strange.stamp}.`)
    await store.setPilotState(
      tx,
      now,
      vo,
      alive.map((one) => ({ ...one, reference: null, deadline })),
    )
  })
}

const isEnd = (state: string): state is store.EndedPilot['state'] =>
  ['Done', 'Failed', 'Aborted', 'Deleted'].includes(state)

export interface BatchReport {
  readonly stamp: string
  readonly state: 'Waiting' | 'Running' | 'Done' | 'Failed' | 'Aborted'
  readonly reason: string
  /** The name it has in the batch system. */
  readonly reference: string | null
}

/** What a batch system says of its pilots: those that are gone take no job with them. */
export async function reportPilots(
  db: Db,
  input: { vo: string; now: Date; gateway: string; reports: readonly BatchReport[] },
): Promise<void> {
  const { vo, now, gateway } = input
  const stamps = input.reports.map(({ stamp }) => stamp)
  const own = await store.stampsOfGateway(db, vo, gateway, stamps)
  const reports = input.reports.filter(({ stamp }) => own.has(stamp))
  await transaction(db, async (tx) => {
    const deadline = new Date(now.getTime() + START_MS)
    const alive = reports.filter(({ state }) => state === 'Waiting' || state === 'Running')
    const ended = reports.flatMap(({ stamp, state, reason }) =>
      state === 'Done' || state === 'Failed' || state === 'Aborted' ? [{ stamp, state, reason }] : [],
    )
    await endWithJobs(tx, now, vo, ended)
    await store.setPilotState(
      tx,
      now,
      vo,
      // That it runs it must say itself; until then it is on its way.
      alive.map((report) => ({ ...report, state: 'Waiting', deadline })),
    )
  })
}

/** Throws pilot_not_found unless the gateway was asked to start this pilot. */
export async function requireGatewayPilot(
  db: Db,
  input: { vo: string; gateway: string; stamp: string },
): Promise<void> {
  const { vo, gateway, stamp } = input
  if (!(await store.stampsOfGateway(db, vo, gateway, [stamp])).has(stamp))
    throw pilotMissing(`There is no pilot ${stamp} of the gateway ${gateway}.`)
}

/** The pilot's own end: what it still held is lost. */
export async function pilotEnds(
  db: Db,
  input: { vo: string; stamp: string; now: Date; reason: string },
): Promise<void> {
  const { vo, stamp, now, reason } = input
  await ownPilot(db, vo, stamp)
  await transaction(db, (tx) => endWithJobs(tx, now, vo, [{ stamp, state: 'Done', reason }]))
}

async function endWithJobs(
  tx: Tx,
  now: Date,
  vo: string | null,
  ended: readonly store.EndedPilot[],
  onlyOverdue = false,
): Promise<void> {
  await store.lockStartsAt(
    tx,
    vo,
    ended.map(({ stamp }) => stamp),
  )
  for (const { starts } of await store.endPilots(tx, now, vo, ended, onlyOverdue)) {
    if (starts.length > 0) await loseStarts(tx, now, starts, 'The pilot ended without them')
  }
}

/** Gives up pilots that were not heard of in time, together with what they held. */
export function pilotDeadlineWorker({ db }: { db: Db }): Worker {
  return {
    name: 'pilot-deadlines',
    wakeOn: [],
    async tick(now) {
      const overdue = await store.overduePilots(db, now, BATCH)
      const ended = overdue.map(({ stamp }) => ({
        ...{ stamp, state: 'Aborted' as const, reason: 'Not heard of in time' },
      }))
      await transaction(db, (tx) => endWithJobs(tx, now, null, ended, true))
      return { changed: ended.length === BATCH ? ended.length : 0, nextWake: null }
    },
  }
}
