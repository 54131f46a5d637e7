import { clamp } from './statistics.ts'
import { BIN_MS, type Bin, type EntityMemory, entityKey, type Measure } from './types.ts'

/** Evidence of all kinds together above which an entity is held to be ill. */
export const RAISE = 9
/** Below it for `CALM_BINS` bins in a row the alarm ends. */
export const CALM = 2
export const CALM_BINS = 3
const MOST = 14
/** One bin alone never raises an alarm, nor do two in which the same transfer is tried again and again. */
const MOST_OF_A_BIN: Readonly<Record<Measure, number>> = { jobs: 5, pilots: 5, tests: 5, transfers: 4 }
/** What must have been held against an entity before the bin that raises its alarm. */
const LASTING = 3
const MORE_THAN_COMMON = 1.25
const FIRST_BASELINE = 0.05
const LEARNING = 0.02
const FORGET_MS = 86_400_000
/** What nobody used for so long says nothing of now. */
const UNUSED_MS = 7_200_000
const RECENT = 3

/**
 * What is usual, and how ill something may be: partly, or altogether. Jobs are measured by what is usual for them. A test
 * that counts as failed has failed twice within five minutes, which hardly ever is chance.
 */
type Fractions = readonly [usual: number, ...ill: readonly number[]]
const FRACTIONS: Readonly<Record<Exclude<Measure, 'jobs'>, Fractions>> = {
  pilots: [0.05, 0.5, 0.9],
  transfers: [0.04, 0.3, 0.6],
  tests: [0.005, 0.4, 0.8],
}

function fractions(measure: Measure, baseline: number): Fractions {
  if (measure !== 'jobs') return FRACTIONS[measure]
  const usual = clamp(1.5 * baseline, 0.02, 0.25)
  return [usual, clamp(2.5 * usual, 0.18, 0.6), clamp(4 * usual, 0.25, 0.95), clamp(10 * usual, 0.6, 0.95)]
}

/**
 * How much more likely `failed` of `n` are in each way to be ill than as usual, as logarithms. `common`: the part that
 * fails at all others as well at that time, by something central; who is ill beside it fails more often than they.
 */
export function evidenceOf(
  measure: Measure,
  baseline: number,
  n: number,
  failed: number,
  common = 0,
): readonly number[] {
  const [alone, ...waysToBeIll] = fractions(measure, baseline)
  const usual = clamp(Math.max(alone, MORE_THAN_COMMON * common), 0, 0.97)
  return waysToBeIll.map((one) => {
    const ill = usual > alone ? Math.max(one, (1 + usual) / 2) : one
    return clamp(
      failed * Math.log(ill / usual) + (n - failed) * Math.log((1 - ill) / (1 - usual)),
      -12,
      MOST_OF_A_BIN[measure],
    )
  })
}

/** The entity with this part of what is held against it by some measures; 0 takes it all back. */
export function weakened(one: EntityMemory, measures: readonly Measure[], factor: number): EntityMemory {
  const sums = { ...one.sums }
  const evidence = { ...one.evidence }
  for (const measure of measures) {
    if (evidence[measure] === undefined) continue
    sums[measure] = sums[measure]?.map((sum) => factor * sum) ?? []
    evidence[measure] = factor * evidence[measure]
  }
  return { ...one, sums, evidence }
}

const sumOf = ({ jobs = 0, pilots = 0, tests = 0, transfers = 0 }: EntityMemory['evidence']): number =>
  jobs + pilots + tests + transfers

export const unknownEntity = ({ entity, within = [] }: Pick<Bin, 'entity' | 'within'>): EntityMemory => ({
  ...{ entity, within, sums: {}, evidence: {}, baseline: FIRST_BASELINE },
  ...{ since: null, calm: 0, last: 0, recent: [] },
})

/** What is known beside the bins themselves. */
export interface Beside {
  /** The part that fails everywhere by something central; 0: nothing does. */
  readonly common: (bin: Bin) => number
  /** Whose failures have a cause already: they are nothing to get used to. */
  readonly explained: (key: string) => boolean
}

/** One bin of time of one entity; `bins` are its rows of that bin, none when nothing happened there. */
export function advance(
  known: EntityMemory,
  start: number,
  bins: readonly Bin[],
  { common, explained }: Beside,
): EntityMemory {
  const alarmed = known.since !== null
  if (bins.length === 0 && known.last < start - UNUSED_MS) {
    return { ...known, sums: {}, evidence: {}, since: null, calm: 0 }
  }
  const before = alarmed ? forgottenBehindGoodTests(known, bins) : known
  const sums = { ...before.sums }
  const evidence = { ...before.evidence }
  let { baseline, last, recent } = before
  for (const bin of bins) {
    const { measure, n, failed } = bin
    if (n <= 0) continue
    last = start
    const others = common(bin)
    const gains = evidenceOf(measure, baseline, n, failed, others)
    const after = gains.map((gain, way) => clamp((sums[measure]?.[way] ?? 0) + gain, 0, MOST))
    sums[measure] = after
    evidence[measure] = Math.max(...after)
    if (measure !== 'jobs') continue
    recent = [...recent, { start, n, failed }].slice(-RECENT)
    const learns = !alarmed && others === 0 && !explained(entityKey(known.entity))
    if (learns) baseline += LEARNING * Math.min(1, n / 10) * (failed / n - baseline)
  }
  const end = start + BIN_MS
  if (!alarmed) {
    // All that one bin tells, of jobs, pilots and tests together, may be one bad moment.
    const lasting = sumOf(before.evidence) >= LASTING
    const since = sumOf(evidence) > RAISE && lasting ? end : null
    return { ...before, sums, evidence, baseline, last, recent, since, calm: 0 }
  }
  const quiet = Object.values(evidence).every((value) => value < CALM)
  const calm = quiet ? before.calm + 1 : 0
  const over = calm >= CALM_BINS
  return {
    ...before,
    sums,
    evidence,
    baseline,
    last,
    recent,
    since: over ? null : before.since,
    calm: over ? 0 : calm,
  }
}

/** A place that gets no work any more cannot show that it is well but by its tests: each good round weakens what was held against it. */
function forgottenBehindGoodTests(known: EntityMemory, bins: readonly Bin[]): EntityMemory {
  const tests = bins.filter(({ measure, n }) => measure === 'tests' && n > 0)
  if (tests.length === 0 || tests.some(({ failed }) => failed > 0)) return known
  const seen = new Set(bins.filter(({ n }) => n > 0).map(({ measure }) => measure))
  const unseen = (['jobs', 'pilots', 'transfers'] as const).filter((measure) => !seen.has(measure))
  return weakened(known, unseen, 0.7)
}

/**
 * All bins that were closed since the last call, in their order. `skip`: bins of a declared downtime, which tell nothing
 * new; what was held against the entity before is dropped then.
 */
export function advanceAll(
  entities: Readonly<Record<string, EntityMemory>>,
  upTo: number,
  now: number,
  bins: readonly Bin[],
  skip: (bin: Pick<Bin, 'entity' | 'within'>, start: number) => boolean,
  beside: Beside,
): { entities: Record<string, EntityMemory>; upTo: number } {
  const end = Math.floor(now / BIN_MS) * BIN_MS
  const byStart = new Map<number, Map<string, Bin[]>>()
  for (const bin of bins) {
    const start = bin.start.getTime()
    if (start < upTo || start + BIN_MS > end) continue
    let slot = byStart.get(start)
    if (!slot) {
      slot = new Map()
      byStart.set(start, slot)
    }
    const key = entityKey(bin.entity)
    const list = slot.get(key)
    if (list) list.push(bin)
    else slot.set(key, [bin])
  }
  const after = { ...entities }
  // After a long pause only what there are rows of is gone through, and the last hours.
  const starts = new Set(byStart.keys())
  for (let start = Math.max(upTo, end - 18 * BIN_MS); start < end; start += BIN_MS) starts.add(start)
  for (const start of [...starts].sort((a, b) => a - b)) {
    const slot = byStart.get(start) ?? new Map<string, Bin[]>()
    for (const [key, list] of slot) if (!after[key]) after[key] = unknownEntity(list[0]!)
    for (const [key, known] of Object.entries(after)) {
      const list = slot.get(key)
      if (!list && known.since === null) continue
      after[key] = skip(known, start)
        ? { ...known, sums: {}, evidence: {}, since: null, calm: 0 }
        : advance(known, start, list ?? [], beside)
    }
  }
  for (const [key, { last }] of Object.entries(after)) {
    if (last < end - FORGET_MS) delete after[key]
  }
  return { entities: after, upTo: Math.max(upTo, end) }
}
