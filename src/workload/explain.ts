import type { Db } from '../kernel/index.ts'
import {
  type Downtime,
  describeDowntime,
  type Exclusion,
  exclusionOf,
  listSites,
  nextOutage,
  type Site,
} from '../sites/index.ts'
import { jobMissing } from './errors.ts'
import {
  beforeOutage,
  describeLimit,
  limitConcerns,
  type Obstacle,
  obstacles,
  queueWeights,
  roomOf,
} from './match.ts'
import { type ResourceRow, resourcesOf } from './pilots.store.ts'
import { offerOf } from './provision.ts'
import { queuesByIds } from './queue.store.ts'
import type { Markets } from './queues.ts'
import * as read from './read.store.ts'
import { BEFORE_PILOT, ENDS, HELD, isWithPilot, STATES, stateName } from './states.ts'
import type { Demand, JobLimit, Queue } from './types.ts'

export interface PlaceExplained {
  readonly resource: string
  readonly site: string
  /** Nothing: it could start here. */
  readonly obstacles: readonly Obstacle[]
  /** What the place itself is waiting for. */
  readonly paused: string | null
}

export interface JobExplained {
  readonly job: read.JobView
  readonly demand: Demand
  readonly dataSites: readonly string[] | null
  /** Who has to do something next, and until when. */
  readonly owner: string | null
  readonly places: readonly PlaceExplained[]
  readonly ahead: number
  /** Of all starts in the VO now, the part that goes to this job's group and to its owner. */
  readonly share: { readonly group: number; readonly owner: number; readonly usedGroup: number } | null
  readonly limits: readonly string[]
  readonly attempts: readonly read.AttemptView[]
  /** The short answer. */
  readonly because: string
}

/** Counting stops here: nobody needs to know how many thousands more are ahead. */
const MOST_AHEAD = 10_000

/** Why a job is in its present state, and what would change it: the matcher's own predicate, asked for every place. */
export async function explainJob(
  deps: { db: Db; markets: Markets },
  input: { vo: string; id: bigint; now: Date },
): Promise<JobExplained> {
  const { db, markets } = deps
  const { vo, id, now } = input
  const [[job], details, attempts] = await Promise.all([
    read.jobsByIds(db, vo, [id]),
    read.jobDetails(db, vo, id),
    read.attemptsOf(db, [id]),
  ])
  if (!job || !details) throw jobMissing(`There is no job ${id}.`)
  const [queue] = await queuesByIds(db, [details.queueId])
  const common = {
    ...{ job, attempts, demand: queue!.demand, dataSites: queue!.dataSites },
    owner: ENDS[job.state]?.owner ?? null,
  }
  const waits = job.state === STATES.Waiting || job.state === HELD
  if (!waits) {
    return { ...common, places: [], ahead: 0, share: null, limits: [], because: presently(common) }
  }
  const [market, resources, sites, ahead] = await Promise.all([
    markets.of(vo, now),
    resourcesOf(db, vo),
    listSites(db, now, vo),
    read.aheadOf(db, id, MOST_AHEAD),
  ])
  const states = new Map(sites.map((site) => [site.name, site]))
  const places = resources.map((resource): PlaceExplained => {
    const { site, name } = resource
    const paused =
      outageOf(queue!, resource, market.downtimes, now) ??
      pauseOf(resource, states.get(site), market.exclusions, now)
    return { resource: name, site, obstacles: obstacles(queue!, offerOf(resource)), paused }
  })
  const limits = market.limits.filter(
    (limit) =>
      roomOf(limit, now) < 1 &&
      places.some(({ site }) => limitConcerns(limit, queue!, { site, storages: [limit.value] })),
  )
  const share = shareOf(queue!, market)
  const answer = { ...common, places, ahead, share, limits: limits.map(describeLimit) }
  return { ...answer, because: waitingBecause(answer, limits) }
}

/** A job that only the next outage keeps from a place. */
function outageOf(
  queue: Queue,
  resource: ResourceRow,
  downtimes: readonly Downtime[],
  now: Date,
): string | null {
  const offer = offerOf(resource)
  const outage = nextOutage(downtimes, offer, now)
  if (!outage || queue.demand.seconds <= beforeOutage(offer, downtimes, now).seconds) return null
  const late = outage.startsAt > now ? '; the job might not end before' : ''
  return `${describeDowntime(outage, now)}${late}`
}

function pauseOf(
  resource: ResourceRow,
  site: Site | undefined,
  exclusions: readonly Exclusion[],
  now: Date,
): string | null {
  const { pausedUntil, pauseReason } = resource
  const out = exclusionOf(exclusions, { site: resource.site, resource: resource.name }, now)
  if (out?.action === 'exclude')
    return `no pilots are started until ${out.until.toISOString()}: ${out.reason}`
  if (pausedUntil && pausedUntil > now) return `paused until ${pausedUntil.toISOString()}: ${pauseReason}`
  const away = site?.state === 'down' || site?.state === 'unknown'
  return away ? `the site is ${site.state} (${site.explanation ?? 'no news'})` : null
}

function shareOf(queue: Queue, market: Awaited<ReturnType<Markets['of']>>): JobExplained['share'] {
  const queues = market.waiting.map((waiting) => waiting.queue)
  if (!queues.some(({ id }) => id === queue.id)) queues.push(queue)
  const weights = queueWeights(queues, market.shares, market.usage)
  const sum = (which: (other: Queue) => boolean) =>
    queues.filter(which).reduce((total, { id }) => total + weights.get(id)!, 0)
  const used = market.usage.reduce((total, { coreSeconds }) => total + coreSeconds, 0)
  const own = market.usage
    .filter(({ group }) => group === queue.group)
    .reduce((total, { coreSeconds }) => total + coreSeconds, 0)
  return {
    group: sum(({ group }) => group === queue.group),
    owner: sum(({ group, owner }) => group === queue.group && owner === queue.owner),
    usedGroup: used > 0 ? own / used : 0,
  }
}

function presently({ job, attempts }: { job: read.JobView; attempts: readonly read.AttemptView[] }): string {
  const { state } = job
  const last = attempts.at(-1)
  if (isWithPilot(state))
    return `${stateName(state)} at ${job.site}, start ${job.attempt} with pilot ${last?.pilot}: ${job.minor}.`
  if (state === STATES.Rescheduled)
    return `${job.losses} starts of it were lost or spoilt; it rests for up to ten minutes before the next one.`
  if ((BEFORE_PILOT as readonly number[]).includes(state))
    return state === STATES.Received
      ? 'Its inputs are being looked for.'
      : 'A good copy of each of its inputs is at no one site. It is looked for again every half minute.'
  return `${stateName(state)}: ${job.minor}${job.application !== 'Unknown' ? ` (${job.application})` : ''}.`
}

function waitingBecause(explained: Omit<JobExplained, 'because'>, limits: readonly JobLimit[]): string {
  const { job, places, ahead, share, dataSites } = explained
  if (job.state === HELD) return `${job.minor}; release it with kumi job release ${job.id}.`
  if (places.length === 0) return 'There is no place to run jobs yet; add one with kumi site.'
  const possible = places.filter((place) => place.obstacles.length === 0)
  if (possible.length === 0) {
    const reasons = new Map<string, string[]>()
    for (const { site, obstacles: found } of places)
      for (const { text } of found) reasons.set(text, [...(reasons.get(text) ?? []), site])
    const told = [...reasons].map(([text, at]) => `${text} (${[...new Set(at)].join(', ')})`)
    return `It can run nowhere: ${told.join('; ')}.`
  }
  const open = possible.filter(({ paused }) => paused === null)
  if (open.length === 0) {
    const where = possible.map(({ site, paused }) => `${site}, where ${paused}`).join('; ')
    return dataSites ? `Its inputs are only at ${where}.` : `It could run only at ${where}.`
  }
  if (limits.length > 0) return `A limit is reached: ${limits.map(describeLimit).join('; ')}.`
  const count = ahead >= MOST_AHEAD ? `more than ${MOST_AHEAD}` : String(ahead)
  const part = share ? `; your group gets ${percent(share.group)} of the starts now` : ''
  return `${count} ahead of it in your share${part}; it may run at ${[...new Set(open.map(({ site }) => site))].join(', ')}.`
}

const percent = (fraction: number): string => `${Math.round(fraction * 100)} %`
