import { CALM } from './cusum.ts'
import { closure, MINUTE_MS, type Sign, sign } from './finding.ts'
import { EVERYWHERE_ENTITY, localise, WINDOW_MS } from './localise.ts'
import {
  type Cause,
  type CauseMemory,
  type Entity,
  type EntityMemory,
  entityKey,
  type JobFact,
  type Measure,
  type Memory,
  type Picture,
  type Severity,
} from './types.ts'

/** A cause that is not named any more is believed so long. */
const BELIEVED_MS = 30 * MINUTE_MS
/** Beside the whole window: what began just now is not hidden by the good half hour before. */
const FRESH_MS = 30 * MINUTE_MS
/** Fewer failures of one user concern the user, not the shift. */
const USER_FAILURES = 30
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
  const suspects = suspectsOf(entities)
  const named = [...lookAt('jobs', jobs, at, suspects), ...lookAt('transfers', transfers, at, suspects)]
  const after: Record<string, CauseMemory> = {}
  for (const [key, known] of Object.entries(before)) {
    if (known.last >= at - BELIEVED_MS) after[key] = known
  }
  for (const cause of named) {
    const key = entityKey(cause.entity)
    const known = after[key]
    const within = closure(cause.within.length > 0 ? cause.within : (wholes.get(key) ?? []), wholes)
    const both = known?.last === at ? merged(known.cause, cause) : cause
    after[key] = { since: known?.since ?? at, last: at, cause: { ...both, within } }
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
  const found = localise(of, all, { suspects })
  return fresh.length < all.length ? [...found, ...localise(of, fresh, { suspects })] : found
}

const merged = (one: Cause, other: Cause): Cause => ({
  ...(other.score > one.score ? other : one),
  sites: [...new Set([...one.sites, ...other.sites])].sort(),
  explains: [...new Set([...one.explains, ...other.explains])].sort(),
})

/** What tests, transfers and pilots say against entities: where jobs alone cannot tell two of them apart, they can. */
function suspectsOf(entities: Memory['entities']): Map<string, number> {
  const suspects = new Map<string, number>()
  for (const [key, { evidence }] of Object.entries(entities)) {
    const against = (evidence.tests ?? 0) + (evidence.transfers ?? 0) + (evidence.pilots ?? 0)
    if (against > 0) suspects.set(key, against)
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

/** Whether a finding is only how the cause shows itself there. */
export function explainedBy(cause: Cause, one: Pick<Sign, 'rule' | 'entity' | 'within'>): boolean {
  const key = entityKey(one.entity)
  const own = entityKey(cause.entity)
  if (key === own) return false
  if (own === entityKey(EVERYWHERE_ENTITY)) return BY_PLACE.test(one.rule) || BY_WORK.test(one.rule)
  if (!BY_WORK.test(one.rule)) return false
  if (one.within.some((whole) => entityKey(whole) === own)) return true
  return cause.explains.includes(key)
}

/**
 * What a cause elsewhere explains is no evidence against a place: it would outlast the cause. Of jobs and transfers
 * only, but where something central fails of everything.
 */
export function withoutExplained(
  entities: Memory['entities'],
  causes: readonly Cause[],
  now: number,
): Record<string, EntityMemory> {
  const after: Record<string, EntityMemory> = { ...entities }
  const everywhere = causes.some(({ entity }) => entityKey(entity) === entityKey(EVERYWHERE_ENTITY))
  const own = new Set(causes.map(({ entity }) => entityKey(entity)))
  const elsewhere = new Set(causes.flatMap(({ explains }) => explains))
  for (const [key, known] of Object.entries(entities)) {
    // Who was ill long before is ill by itself.
    if (own.has(key) || (known.since !== null && known.since < now - WINDOW_MS)) continue
    const endOfLink = known.within.some((whole) => whole.kind === 'storage' && own.has(entityKey(whole)))
    if (!everywhere && !elsewhere.has(key) && !endOfLink) continue
    const evidence: Partial<Record<Measure, number>> = { ...known.evidence }
    for (const measure of Object.keys(evidence) as Measure[]) {
      if (everywhere || measure === 'jobs' || measure === 'transfers') evidence[measure] = 0
    }
    const ill = Object.values(evidence).some((value) => value >= CALM)
    after[key] = { ...known, evidence, since: ill ? known.since : null, calm: 0 }
  }
  return after
}
