import { type Beside, CALM, weakened } from './cusum.ts'
import { closure, HOUR_MS, isOf, MINUTE_MS, type Sign, sign } from './finding.ts'
import { EVERYWHERE_ENTITY, localise, WINDOW_MS } from './localise.ts'
import {
  type Bin,
  type Cause,
  type CauseMemory,
  type Entity,
  type EntityMemory,
  entityKey,
  type JobFact,
  linkEnds,
  type Measure,
  type Memory,
  type Picture,
  type Severity,
} from './types.ts'

/** A cause that is not named any more is believed so long. */
const BELIEVED_MS = 30 * MINUTE_MS
/** Of what is central, which hides all else, only so long. */
const CENTRAL_BELIEVED_MS = 10 * MINUTE_MS
/** Beside the whole window: what began just now is not hidden by the good half hour before. */
const FRESH_MS = 30 * MINUTE_MS
/** So many jobs or transfers of half an hour say whether a cause is still at work, and so much of them fails then. */
const FEW = 5
const STILL_FRACTION = 0.15
/** What the localiser must find beyond the usual against a storage that does well otherwise, as a logarithm. */
const DOES_WELL = -20
/** Fewer failures of one user concern the user, not the shift. */
const USER_FAILURES = 50
const USER_SITES = 3

/** Causes that hold now, by their entity: those named at this look, and those of the last half hour. */
export function causesNow(
  before: Memory['causes'],
  now: Date,
  { jobs = [], transfers = [] }: Picture,
  entities: Memory['entities'],
  wholes: ReadonlyMap<string, readonly Entity[]>,
): Record<string, CauseMemory> {
  const at = now.getTime()
  const suspects = suspectsOf(entities, at)
  const named = [...lookAt('jobs', jobs, at, suspects), ...lookAt('transfers', transfers, at, suspects)]
  const after: Record<string, CauseMemory> = {}
  for (const [key, known] of Object.entries(before)) {
    const believed = isEverywhere(known.cause) ? CENTRAL_BELIEVED_MS : BELIEVED_MS
    if (known.last >= at - believed) after[key] = known
  }
  for (const cause of named) {
    const key = entityKey(cause.entity)
    const known = after[key]
    const within = closure(cause.within.length > 0 ? cause.within : (wholes.get(key) ?? []), wholes)
    const both = known?.last === at ? merged(known.cause, cause) : cause
    const first = known?.since ?? at
    after[key] = { since: first, last: at, cause: { ...both, within, since: first } }
  }
  return after
}

function lookAt(
  of: Cause['of'],
  rows: readonly JobFact[],
  now: number,
  suspects: ReadonlyMap<string, number>,
): Cause[] {
  const since = (ms: number) => rows.filter(({ start }) => !start || start.getTime() >= now - ms)
  const all = since(WINDOW_MS)
  const fresh = since(FRESH_MS)
  // What failed until half an hour ago and does well since is over, and no news.
  const found = localise(of, all, { suspects }).filter((cause) => stillFails(cause, fresh))
  return fresh.length < all.length ? [...found, ...localise(of, fresh, { suspects })] : found
}

function stillFails(cause: Cause, rows: readonly JobFact[]): boolean {
  const own = rows.filter(({ attributes }) => isAbout(cause, attributes))
  const n = own.reduce((sum, one) => sum + one.n, 0)
  return n < FEW || own.reduce((sum, one) => sum + one.failed, 0) >= STILL_FRACTION * n
}

const merged = (one: Cause, other: Cause): Cause => ({
  ...(other.score > one.score ? other : one),
  sites: [...new Set([...one.sites, ...other.sites])].sort(),
  explains: [...new Set([...one.explains, ...other.explains])].sort(),
})

/**
 * What tests, transfers and pilots say against entities: where jobs alone cannot tell two of them apart, they can. A
 * storage that does well in them is hardly why jobs fail that use it.
 */
function suspectsOf(entities: Memory['entities'], now: number): Map<string, number> {
  const suspects = new Map<string, number>()
  for (const [key, { entity, evidence, last }] of Object.entries(entities)) {
    const against = (evidence.tests ?? 0) + (evidence.transfers ?? 0) + (evidence.pilots ?? 0)
    if (against >= CALM) suspects.set(key, against)
    else if (entity.kind === 'storage' && last >= now - HOUR_MS) suspects.set(key, DOES_WELL)
  }
  return suspects
}

/** R20: the cause as a finding; R11 for users: few jobs are told to the user alone. */
export function signOf(cause: Cause, since: number): Sign {
  const { entity, within, n, failed, score, sites, of } = cause
  const facts = { of, n, failed, score, sites: sites.length }
  return sign('R20', 'cause of failures', entity, severityOf(cause), facts, {
    within,
    since: new Date(since),
  })
}

function severityOf({ entity, failed, sites }: Cause): Severity {
  switch (entity.kind) {
    case 'user':
      return failed >= USER_FAILURES && sites.length >= USER_SITES ? 'warn' : 'info'
    case 'central':
      return 'critical'
    case 'link':
    case 'activity':
    case 'node':
      return 'warn'
    default:
      return 'error'
  }
}

/** Rules about failures of jobs and transfers, which a cause elsewhere explains. */
const BY_WORK = /^R(07|08|11|17|18|19)$/
/** Rules that something central explains as well: its tests fail and its pilots do not come. */
const BY_PLACE = /^R(0[3-9]|14)$/

/** What began so long before something central failed is not its doing. */
const BEFORE_MS = HOUR_MS

const isEverywhere = (cause: Cause): boolean => entityKey(cause.entity) === entityKey(EVERYWHERE_ENTITY)

/** Whether a finding is only how the cause shows itself there. */
export function explainedBy(cause: Cause, one: Pick<Sign, 'rule' | 'entity' | 'within' | 'facts'>): boolean {
  const key = entityKey(one.entity)
  const own = entityKey(cause.entity)
  if (key === own) return false
  if (isEverywhere(cause)) {
    // The sums of evidence are what a place has beyond all others already.
    return one.facts.evidence === undefined && (BY_PLACE.test(one.rule) || BY_WORK.test(one.rule))
  }
  if (!BY_WORK.test(one.rule)) return false
  if (one.within.some((whole) => entityKey(whole) === own)) return true
  return cause.explains.includes(key)
}

/**
 * What a cause elsewhere explains is no evidence against a place: it would outlast the cause. Of jobs and transfers
 * only, but when something central begins to fail of everything since about then.
 */
export function withoutExplained(
  entities: Memory['entities'],
  causes: readonly Cause[],
  now: number,
): Record<string, EntityMemory> {
  const after: Record<string, EntityMemory> = { ...entities }
  const begins = causes.some((cause) => isEverywhere(cause) && (cause.since ?? 0) >= now - MINUTE_MS)
  const own = new Set(causes.map(({ entity }) => entityKey(entity)))
  const elsewhere = new Set(causes.flatMap(({ explains }) => explains))
  const badEnds = new Set(
    causes.flatMap(({ of, entity }) =>
      of === 'transfers' && entity.kind === 'storage' ? entityKey(entity) : [],
    ),
  )
  for (const [key, known] of Object.entries(entities)) {
    if (own.has(key)) continue
    const central = begins && (known.since ?? now) >= now - BEFORE_MS
    const endOfLink = known.within.some((whole) => badEnds.has(entityKey(whole)))
    if (!central && !elsewhere.has(key) && !endOfLink) continue
    const measures = Object.keys(known.evidence) as Measure[]
    const less = weakened(
      known,
      measures.filter((measure) => central || measure === 'jobs' || measure === 'transfers'),
      0,
    )
    const ill = Object.values(less.evidence).some((value) => value >= CALM)
    after[key] = { ...less, since: ill ? known.since : null, calm: 0 }
  }
  return after
}

/** What the causes that are believed say of the bins to come. */
export function besideCauses(bins: readonly Bin[], causes: readonly Cause[]): Beside {
  const known = new Set(
    causes.flatMap(({ entity, within, explains }) => [...explains, ...[entity, ...within].map(entityKey)]),
  )
  const explained = (key: string): boolean => known.has(key)
  if (!causes.some(isEverywhere)) return { explained, common: () => 0 }
  const all = new Map<string, { n: number; failed: number }>()
  const keyOf = ({ entity, measure, start }: Bin): string => `${entity.kind} ${measure} ${start.getTime()}`
  for (const bin of bins) {
    const { n, failed } = all.get(keyOf(bin)) ?? { n: 0, failed: 0 }
    all.set(keyOf(bin), { n: n + bin.n, failed: failed + bin.failed })
  }
  const common = (bin: Bin): number => {
    const { n, failed } = all.get(keyOf(bin)) ?? { n: 0, failed: 0 }
    return n > 0 ? failed / n : 0
  }
  return { explained, common }
}

/** Bins without the jobs that causes elsewhere explain: with those a site is neither ill, nor better than it seemed. */
export function ownBins(
  bins: readonly Bin[],
  jobs: readonly JobFact[],
  causes: readonly Cause[],
): readonly Bin[] {
  const named = causes.filter((cause) => !isEverywhere(cause))
  if (named.length === 0) return bins
  const less = new Map<string, { n: number; failed: number }>()
  for (const { attributes, start, n, failed } of jobs) {
    if (!start || attributes.site === undefined) continue
    if (!named.some((cause) => isAbout(cause, attributes) && !isPartOfSite(cause, attributes.site!))) continue
    const key = `${attributes.site} ${start.getTime()}`
    const known = less.get(key) ?? { n: 0, failed: 0 }
    less.set(key, { n: known.n + n, failed: known.failed + failed })
  }
  return bins.map((bin) => {
    const other = bin.measure === 'jobs' ? less.get(`${bin.entity.name} ${bin.start.getTime()}`) : undefined
    if (!other || bin.entity.kind !== 'site') return bin
    const failed = Math.max(0, bin.failed - other.failed)
    return { ...bin, n: Math.max(failed, bin.n - other.n), failed }
  })
}

/** Jobs that no cause but those of one kind is about. */
export const unexplainedJobs = (
  jobs: readonly JobFact[],
  causes: readonly Cause[],
  kind: Entity['kind'],
): readonly JobFact[] => {
  const others = causes.filter(({ entity }) => entity.kind !== kind)
  if (others.some(isEverywhere)) return []
  return jobs.filter(({ attributes }) => !others.some((cause) => isAbout(cause, attributes)))
}

const STORAGES = ['output storage', 'input storage', 'source', 'destination']

/** Whether a cause is about a job or transfer with such attributes: its own entity, or both ends of a link, are among them. */
export function isAbout({ entity, within }: Cause, attributes: JobFact['attributes']): boolean {
  const has = ({ kind, name }: Entity): boolean =>
    kind === 'storage'
      ? STORAGES.some((attribute) => attributes[attribute] === name)
      : attributes[kind] === name
  if (entity.kind === 'central') return true
  if (entity.kind !== 'link') return has(entity)
  const ends = linkEnds(entity.name)
  return within.filter(({ name }) => ends.includes(name)).every(has)
}

/** A site's own nodes, resources and storage: when most of its jobs fail by one of them, the site is ill. */
export const isPartOfSite = (cause: Cause, site: string): boolean =>
  isOf(cause, entityKey({ kind: 'site', name: site })) && cause.entity.kind !== 'link'
