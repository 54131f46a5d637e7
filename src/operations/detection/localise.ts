import { type Cube, cubeOf, KINDS, subtract, type Value } from './cube.ts'
import { clamp, gainOver, logLikelihood } from './statistics.ts'
import { topTemplates } from './templates.ts'
import { type Cause, type Entity, type ErrorCount, entityKey, type JobFact } from './types.ts'

/** Where the localiser looks for jobs and transfers that ended, ms. */
export const WINDOW_MS = 3_600_000

const LEAST = 10
const LEAST_FRACTION = 0.2
/** Evidence that a cause needs, as a logarithm; a pair of attributes needs more, because there are many pairs. */
const NEEDED = 12
const PAIR_PENALTY = 6
/** And so much must set it apart from the rest: users have bad hours, which makes chance coarser than it is in theory. */
const NEEDED_APART = 18
/** And more where everything fails: who worked most in the worst minutes stands out a little. */
const NEEDED_BESIDE = 30
/** And still without its worst ten minutes: one bad moment is no cause. */
const NEEDED_ELSEWHEN = 5
const MOST_CAUSES = 6
/** Fewer failures of one person whose jobs fail mostly are the person's, wherever they happen. */
const FEW_OF_A_PERSON = 60
/** Everything fails also without so many of those who fail most: users and productions, or storages. */
const WORST = { jobs: 3, transfers: 5 }
/** A cause whose jobs outside the other causes fail no more often than this was only their shadow. */
const SHADOW_FRACTION = 0.06
const SHADOW_GAIN = 4
/** All fail: this part of the values of every attribute, at least so many sites, and still so often without the causes. */
const EVERYWHERE = 0.7
const EVERYWHERE_STILL = 0.6
const EVERYWHERE_SITES = 5

export const EVERYWHERE_ENTITY: Entity = { kind: 'central', name: 'everywhere' }

export interface LocaliserOptions {
  /** Other evidence against entities, such as of active tests, or for them, as a logarithm; at most 6 of it counts against. */
  readonly suspects?: ReadonlyMap<string, number>
}

/**
 * Which values of attributes explain the failures best, most telling first: the value whose own fraction of failures
 * gains most over one fraction for all is taken, its jobs are left out, and so on. At most six. Independent of the order
 * of the rows.
 */
export function localise(
  of: Cause['of'],
  rows: readonly JobFact[],
  { suspects = new Map() }: LocaliserOptions = {},
): Cause[] {
  const cube = cubeOf(of, rows)
  if (cube.failed === 0) return []
  const base = clamp(cube.failed / cube.n, 0.02, 0.1)
  const overall = cube.failed / cube.n
  const found: Found[] = []
  while (found.length < MOST_CAUSES && cube.failed > 0) {
    const best = bestOf(cube, rows, base, suspects)
    if (!best) break
    found.push(best)
    subtract(cube, best.value)
  }
  if (!failsEverywhere(cube, rows, overall)) return causesOf(cube, rows, withoutShadows(cube, found), base)
  // What fails far more than all the others has a cause of its own beside the common one.
  const beside = found.filter(({ score }) => score >= NEEDED_BESIDE)
  return [causeEverywhere(cube, rows, base), ...causesOf(cube, rows, beside, base)]
}

function bestOf(
  cube: Cube,
  rows: readonly JobFact[],
  base: number,
  suspects: ReadonlyMap<string, number>,
): Found | null {
  const together = logLikelihood(cube.failed, cube.n, cube.failed / cube.n)
  let best: Found | null = null
  for (const value of cube.values) {
    const { n, failed } = value
    if (n < LEAST || failed < LEAST_FRACTION * n) continue
    const penalty = value.pair ? PAIR_PENALTY : 0
    if (gainOver(failed, n, base) <= NEEDED + penalty || !lasts(value, cube, base)) continue
    if (cube.of === 'jobs' && isOnePersons(value, cube, rows)) continue
    const restN = cube.n - n
    const restFailed = cube.failed - failed
    if (failed * restN <= restFailed * n) continue
    const gain =
      logLikelihood(failed, n, failed / n) +
      (restN > 0 ? logLikelihood(restFailed, restN, restFailed / restN) : 0) -
      together
    const score = gain - penalty + Math.min(suspects.get(value.key) ?? 0, 6)
    // Equal counts are one and the same set of jobs: the attribute that comes first is the more general one.
    // It must differ from the rest, not only from what is usual.
    if (score > NEEDED_APART && (!best || score > best.score + 1e-6)) best = { value, score }
  }
  return best
}

/** Whether it fails in more than one bin; rows that do not tell their time must be believed. */
function lasts({ rows }: Value, cube: Cube, base: number): boolean {
  const bins = new Map<number, { n: number; failed: number }>()
  let n = 0
  let failed = 0
  for (const r of rows) {
    if (cube.taken[r]) continue
    const start = cube.rowStart[r]!
    if (Number.isNaN(start)) return true
    const bin = bins.get(start) ?? { n: 0, failed: 0 }
    bin.n += cube.rowN[r]!
    bin.failed += cube.rowFailed[r]!
    bins.set(start, bin)
    n += cube.rowN[r]!
    failed += cube.rowFailed[r]!
  }
  // Of two equally bad ones the one with fewer jobs goes: the order of the rows must not matter.
  let worst = { n: 0, failed: -1 }
  for (const bin of bins.values()) {
    if (bin.failed > worst.failed || (bin.failed === worst.failed && bin.n < worst.n)) worst = bin
  }
  n -= worst.n
  failed -= worst.failed
  return failed > base * n && gainOver(failed, n, base) > NEEDED_ELSEWHEN
}

const USER = KINDS.jobs.findIndex(([attribute]) => attribute === 'user')

/** Whether few jobs of one person are nearly all that fails there: they say more of the person than of the place. */
function isOnePersons({ entity, failed, rows: own }: Value, cube: Cube, rows: readonly JobFact[]): boolean {
  if (entity.kind === 'user' || failed >= 2 * FEW_OF_A_PERSON) return false
  const persons = cube.single[USER]!
  const byPerson = new Map<string, number>()
  for (const r of own) {
    const { user, production } = rows[r]!.attributes
    if (cube.taken[r] || user === undefined || production !== undefined) continue
    byPerson.set(user, (byPerson.get(user) ?? 0) + cube.rowFailed[r]!)
  }
  return [...byPerson].some(([user, most]) => {
    const { n, failed: all } = persons.get(user) ?? { n: 0, failed: 0 }
    return most < FEW_OF_A_PERSON && failed - most <= 0.25 * failed && 2 * all >= n
  })
}

/**
 * Whether the failures do not care about any attribute: without the best causes the rest fails as before, whatever
 * site, release or user it is of. What all of them share has no attribute: the server, the database, a token that
 * everybody needs.
 */
function failsEverywhere(cube: Cube, rows: readonly JobFact[], overall: number): boolean {
  if (overall < LEAST_FRACTION || cube.n < LEAST) return false
  if (cube.failed < EVERYWHERE_STILL * overall * cube.n) return false
  if (!failsWithoutWorst(cube.of, rows, overall)) return false
  const kinds = KINDS[cube.of].filter(([attribute]) => attribute !== 'node')
  return kinds.every(([attribute], a) => {
    const counts = new Map<string, { n: number; failed: number }>()
    for (const [r, { attributes, n, failed }] of rows.entries()) {
      const name = attributes[attribute]
      if (name === undefined || cube.taken[r]) continue
      const known = counts.get(name) ?? { n: 0, failed: 0 }
      known.n += n
      known.failed += failed
      counts.set(name, known)
    }
    const values = [...counts.values()].filter(({ n }) => n >= LEAST)
    if (a === 0 && values.length < EVERYWHERE_SITES) return false
    const least = Math.max(LEAST_FRACTION, overall / 2)
    const bad = values.filter(({ n, failed }) => failed >= least * n).length
    return values.length < 2 || bad >= EVERYWHERE * values.length
  })
}

/** Three users with floods of jobs, or three storages where all the traffic is, look like everything. */
function failsWithoutWorst(of: Cause['of'], rows: readonly JobFact[], overall: number): boolean {
  const ownersOf = ({ attributes: { production, user, source, destination } }: JobFact): readonly string[] =>
    (of === 'jobs' ? [production ?? user] : [source, destination]).filter((name) => name !== undefined)
  const failures = new Map<string, number>()
  for (const row of rows) {
    for (const owner of ownersOf(row)) failures.set(owner, (failures.get(owner) ?? 0) + row.failed)
  }
  if (failures.size <= WORST[of]) return true
  const worst = [...failures].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, WORST[of])
  const others = rows.filter((row) => !ownersOf(row).some((owner) => worst.some(([name]) => name === owner)))
  const n = others.reduce((sum, row) => sum + row.n, 0)
  const failed = others.reduce((sum, row) => sum + row.failed, 0)
  return n >= 2 * LEAST && failed >= EVERYWHERE_STILL * overall * n
}

/** The causes that still fail more than usual where no other cause is at work. */
function withoutShadows<T extends { value: Value }>(cube: Cube, found: readonly T[]): T[] {
  let kept = [...found]
  // The last one found is the first that may be a shadow.
  for (const one of [...found].reverse()) {
    const others = new Set(kept.filter((other) => other !== one).map(({ value }) => value.id))
    if (others.size === 0) break
    let n = 0
    let failed = 0
    for (const r of one.value.rows) {
      if (cube.rowValues[r]!.some((id) => others.has(id))) continue
      n += cube.rowN[r]!
      failed += cube.rowFailed[r]!
    }
    const shadow =
      n === 0 || failed <= SHADOW_FRACTION * n || gainOver(failed, n, SHADOW_FRACTION) <= SHADOW_GAIN
    if (shadow) kept = kept.filter((other) => other !== one)
  }
  return kept
}

interface Found {
  readonly value: Value
  readonly score: number
}

function causesOf(cube: Cube, rows: readonly JobFact[], found: readonly Found[], base: number): Cause[] {
  const byEntity = new Map<string, { score: number; rows: Set<number>; entity: Entity }>()
  for (const { value, score } of found) {
    const known = byEntity.get(value.key)
    if (!known) byEntity.set(value.key, { score, rows: new Set(value.rows), entity: value.entity })
    else for (const r of value.rows) known.rows.add(r)
  }
  const all = new Set([...byEntity.values()].flatMap((one) => [...one.rows]))
  const together = insideOf(cube, rows, all)
  return [...byEntity.values()].map(({ entity, score, rows: matched }) => ({
    ...{ entity, within: withinOf(cube, entity, matched), of: cube.of, score: round(score) },
    ...describe(cube, rows, matched),
    explains: explainedBy(insideOf(cube, rows, matched), together, byEntity, base),
  }))
}

const round = (value: number): number => Math.round(value * 10) / 10

/** Ends of a link; the site of a node or resource. */
function withinOf(cube: Cube, entity: Entity, matched: ReadonlySet<number>): readonly Entity[] {
  if (entity.kind !== 'resource' && entity.kind !== 'node') return cube.ends.get(entityKey(entity)) ?? []
  const [first] = matched
  const site = cube.rowValues[first!]!.map((id) => cube.values[id]!).find((v) => v.attribute === 'site')
  return site ? [site.entity] : []
}

function describe(
  cube: Cube,
  rows: readonly JobFact[],
  matched: ReadonlySet<number>,
): Pick<Cause, 'n' | 'failed' | 'sites' | 'templates'> {
  let n = 0
  let failed = 0
  const sites = new Set<string>()
  const errors: ErrorCount[] = []
  for (const r of matched) {
    n += cube.rowN[r]!
    failed += cube.rowFailed[r]!
    const { attributes, errors: some = [] } = rows[r]!
    if (cube.rowFailed[r]! > 0 && attributes.site) sites.add(attributes.site)
    errors.push(...some)
  }
  return { n, failed, sites: [...sites].sort(), templates: topTemplates(errors) }
}

type Inside = ReadonlyMap<Value, { n: number; failed: number }>

/** How many jobs of each value, and how many failed ones, are among the matched rows. */
function insideOf(cube: Cube, rows: readonly JobFact[], matched: ReadonlySet<number>): Inside {
  const inside = new Map<Value, { n: number; failed: number }>()
  for (const r of matched) {
    if (cube.rowFailed[r] === 0) continue
    for (const [a, [attribute]] of KINDS[cube.of].entries()) {
      const value = cube.single[a]!.get(rows[r]!.attributes[attribute] ?? '')
      if (!value) continue
      const known = inside.get(value) ?? { n: 0, failed: 0 }
      known.n += cube.rowN[r]!
      known.failed += cube.rowFailed[r]!
      inside.set(value, known)
    }
  }
  for (const r of matched) {
    if (cube.rowFailed[r]! > 0) continue
    for (const id of cube.rowValues[r]!) {
      const known = inside.get(cube.values[id]!)
      if (known) known.n += cube.rowN[r]!
    }
  }
  return inside
}

/**
 * Entities most of whose failures are of one cause, and which do well apart from it; or much of whose failures are, and
 * which do well apart from all causes.
 */
function explainedBy(
  inside: Inside,
  together: Inside,
  causes: ReadonlyMap<string, unknown>,
  base: number,
): string[] {
  const explained = new Set<string>()
  const well = (n: number, failed: number) => failed <= 2 || failed <= Math.max(0.15, 1.5 * base) * n
  for (const [value, { n, failed }] of inside) {
    const { allN, allFailed, key } = value
    const all = together.get(value)!
    const alone = failed >= 0.5 * allFailed && well(allN - n, allFailed - failed)
    const shared = !causes.has(key) && failed >= 0.2 * allFailed && well(allN - all.n, allFailed - all.failed)
    if (alone || shared) explained.add(key)
  }
  return [...explained].sort()
}

function causeEverywhere(cube: Cube, rows: readonly JobFact[], base: number): Cause {
  const told = describe(cube, rows, new Set(rows.keys()))
  return {
    ...{ entity: EVERYWHERE_ENTITY, within: [], of: cube.of, explains: [] },
    ...{ ...told, score: round(gainOver(told.failed, told.n, Math.min(base, 0.05))) },
  }
}
