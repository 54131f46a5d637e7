import type { Db } from '../kernel/database.ts'
import { codesOf, HELD, type JobCondition, STATES, stateName, summariseJobs } from '../workload/index.ts'
import {
  countNewest,
  type JobFilter,
  type JobLineRow,
  type JobLook,
  lookForJobs,
  ownerIdOf,
} from './jobs.store.ts'

/** What is asked of the list of jobs; absent: anything. Deleted jobs are shown only to those who ask for them. */
export interface JobQuestion {
  readonly vo: string
  /** The name of a state on the wire; held jobs are Waiting there. */
  readonly status?: string | undefined
  readonly owner?: string | undefined
  readonly group?: string | undefined
  readonly site?: string | undefined
  /** `*` stands for anything. */
  readonly name?: string | undefined
  readonly since?: Date | undefined
}

export interface JobLine extends Omit<JobLineRow, 'state'> {
  readonly status: string
}
export interface JobPage {
  readonly jobs: readonly JobLine[]
  /** Where older jobs follow; null when there are none. */
  readonly next: bigint | null
  /** How many jobs the answer looked at. */
  readonly looked: number
}
export interface JobCounts {
  readonly counts: readonly { readonly status: string; readonly count: bigint }[]
  /** Of so many newest jobs only; null: of all. */
  readonly among: number | null
}

/** So many rows are looked at in a moment, however many there are; fewer, from those of a page on, as long as they fill it. */
const LOOK = 50_000
const SHORT_LOOKS = [1000, 10_000]
/** Numbers are given at the submission, but a long submission may commit after a later one. */
const DISORDER_MS = 3_600_000

/** Jobs, newest first. Where few of many fit, a page may be short although more follow: `next` says so. */
export async function jobLines(
  db: Db,
  question: JobQuestion,
  page: { readonly before?: bigint | undefined; readonly limit: number },
): Promise<JobPage> {
  const filter = await filterOf(db, question)
  if (!filter) return { jobs: [], next: null, looked: 0 }
  const { limit, before = BigInt(Number.MAX_SAFE_INTEGER) } = page
  const found = await firstFull(db, filter, before, limit + 1)
  const jobs = found.jobs.slice(0, limit).map(({ state, ...job }) => ({ ...job, status: shownState(state) }))
  const { since } = question
  const past =
    since !== undefined && found.oldest !== null && found.oldest.getTime() < since.getTime() - DISORDER_MS
  const further = found.looked === LOOK && !past ? found.furthest : null
  return { jobs, looked: found.looked, next: found.jobs.length > limit ? jobs.at(-1)!.id : further }
}

async function firstFull(db: Db, filter: JobFilter, before: bigint, limit: number): Promise<JobLook> {
  for (const look of [limit, ...SHORT_LOOKS]) {
    const found = await lookForJobs(db, filter, { before, look, limit })
    if (found.jobs.length >= limit || found.looked < look) return found
  }
  return lookForJobs(db, filter, { before, look: LOOK, limit })
}

/** Jobs by state. Kept counts know owners and groups, or sites; for the rest the newest are counted. */
export async function jobCounts(db: Db, question: JobQuestion): Promise<JobCounts> {
  const { vo, owner, group, site, name, since } = question
  const ofPeople = owner !== undefined || group !== undefined
  if (name === undefined && since === undefined && !(ofPeople && site !== undefined)) {
    const conditions = Object.entries({ owner, group, site }).flatMap(([column, value]) =>
      value === undefined ? [] : [{ column, operator: 'eq', values: [value] } as JobCondition],
    )
    const lines = await summariseJobs(db, { vo, conditions, grouping: ['state'] })
    const counts = lines.map(({ values: [status], count }) => ({ status: status ?? '', count }))
    return { counts: counts.filter(({ status }) => status !== 'Deleted'), among: null }
  }
  const filter = await filterOf(db, question)
  if (!filter) return { counts: [], among: null }
  const found = (await countNewest(db, filter, LOOK))!
  const sums = new Map<string, bigint>()
  for (const [state, n] of Object.entries(found.counts)) {
    const status = stateName(Number(state))
    sums.set(status, (sums.get(status) ?? 0n) + BigInt(n))
  }
  return {
    counts: [...sums].map(([status, count]) => ({ status, count })),
    among: found.looked === LOOK ? LOOK : null,
  }
}

const shownState = (state: number): string => (state === HELD ? 'Held' : stateName(state))

/** Undefined: nothing can fit, because nobody of that name has jobs. */
async function filterOf(
  db: Db,
  { status, name, owner, ...rest }: JobQuestion,
): Promise<JobFilter | undefined> {
  const ownerId = owner === undefined ? undefined : await ownerIdOf(db, rest.vo, owner)
  if (owner !== undefined && ownerId === undefined) return undefined
  return {
    ...rest,
    ownerId,
    states: status === undefined ? [] : codesOf(status),
    hidden: [STATES.Deleted],
    name: name?.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%'),
  }
}
