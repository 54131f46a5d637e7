import type { Db } from '../../kernel/database.ts'
import { type Markets, stateName } from '../../workload/index.ts'
import { BIN_MS, type Picture } from '../detection/index.ts'
import { siteTrends } from '../statistics/levels.store.ts'
import * as store from './backlogs.store.ts'
import { type UserFacts, userFacts } from './work.store.ts'

type Part<K extends keyof Picture> = NonNullable<Picture[K]>

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Whoever moves overdue jobs on looks every few seconds. */
const OVERDUE_MS = 600_000
const before = (now: Date, ms: number): Date => new Date(now.getTime() - ms)

/** R06, R07. `demand`: waiting jobs that would fit a site. */
export async function trends(
  db: Db,
  vo: string,
  now: Date,
  demand: (site: string) => number,
): Promise<Part<'trends'>> {
  const end = new Date(Math.floor(now.getTime() / BIN_MS) * BIN_MS)
  const found = await siteTrends(db, vo, end)
  return found.map(({ site, ...one }) => ({
    ...{ ...one, entity: { kind: 'site', name: site }, demand: demand(site) },
  }))
}

/** R09. */
export async function stuckJobs(db: Db, vo: string, now: Date): Promise<Part<'stuckJobs'>> {
  const found = await store.stuckRows(db, vo, before(now, OVERDUE_MS))
  return found.map(({ state, ...one }) => ({ ...one, state: stateName(state), limitMs: OVERDUE_MS }))
}

/** R11: a fair share is what everybody who waits or has run of late would get of the jobs in hand. */
export async function users(
  db: Db,
  vo: string,
  now: Date,
  market: Awaited<ReturnType<Markets['of']>>,
): Promise<Part<'users'>> {
  const known = new Map((await userFacts(db, vo, before(now, DAY_MS))).map((one) => [one.user, one]))
  const waiting = new Map<string, number>()
  for (const { queue, waiting: n } of market.waiting)
    waiting.set(queue.owner, (waiting.get(queue.owner) ?? 0) + Number(n))
  const names = new Set([...known.keys(), ...waiting.keys()])
  const fairShare = (await store.jobsInHand(db, vo)) / Math.max(1, names.size)
  const nothing = (user: string): UserFacts => ({ user, n: 0, failed: 0, sites: 0 })
  return [...names].map((user) => ({
    ...(known.get(user) ?? nothing(user)),
    ...{ waiting: waiting.get(user) ?? 0, fairShare },
  }))
}

/** R12. */
export async function queues(
  db: Db,
  vo: string,
  now: Date,
  queued: number,
): Promise<NonNullable<Part<'central'>['queues']>> {
  const perMinute = await store.transfersPerMinute(db, vo, before(now, HOUR_MS), now)
  return [{ name: 'transfers', backlog: queued, perMinute }]
}

/** R21, but for the stuck rules. */
export const ruleBacklog = (db: Db, vo: string, now: Date): Promise<store.RuleBacklogRow> =>
  store.ruleBacklog(db, vo, { expiredBefore: before(now, HOUR_MS), deletedBefore: before(now, DAY_MS) })

/** R15: a copy that is not as it was registered is none of the good ones. */
export async function rawInputs(db: Db, vo: string, now: Date): Promise<Part<'rawInputs'>> {
  const found = await store.rawTroubles(db, vo, before(now, DAY_MS))
  return found.map((one) => ({ ...one, consistent: true }))
}

/** R16: a second copy may take a day, so that files of the last two tell. */
export const rawLatencies = (db: Db, vo: string, now: Date): Promise<Part<'rawLatencies'>> =>
  store.rawLatencyRows(db, vo, now, before(now, 2 * DAY_MS))
