import { grouped } from '../../kernel/grouped.ts'
import { DAY_MS, HOUR_MS, hours, MINUTE_MS, minutes, percent, type Sign, sign, site } from './finding.ts'
import { median, robustSpread, wilsonLower } from './statistics.ts'
import type { JobFact, Picture, RawInput } from './types.ts'

const SIX_HOURS = 6 * HOUR_MS

/** What of submissions fails as usual, and where pilots cannot be started: partly, or altogether. */
const SUBMISSIONS = { usual: 0.05, ill: [0.5, 0.9] }
const SUBMISSION_EVIDENCE = 9
const SUBMISSION_SPAN_MS = 10 * MINUTE_MS
/** What is older says nothing of now; and without a failure of the last half an hour nobody knows. */
const SUBMISSION_WINDOW_MS = HOUR_MS
const SUBMISSION_NEWEST_MS = 30 * MINUTE_MS

/**
 * R03: the last submissions at a place failed for ten minutes or longer, all or so many of them that they are far likelier
 * where something is ill. They are judged as they came on, not as their pilots end: those that were started before an
 * incident end well for hours. A place whose pilots fail is tried with one pilot after ever longer pauses, so that few
 * tell. What failed while something central did (until `after`, ms since 1970) is no place's fault.
 */
export function failedSubmissions(now: Date, { resources = [] }: Picture, after = 0): Sign[] {
  const begin = Math.max(after, now.getTime() - SUBMISSION_WINDOW_MS)
  return resources.flatMap(({ resource, site: at, submissions: all }) => {
    const submissions = all.filter((one) => one.at.getTime() > begin)
    if ((submissions.at(-1)?.at.getTime() ?? 0) < now.getTime() - SUBMISSION_NEWEST_MS) return []
    const entity = { kind: 'resource', name: resource } as const
    const found = SUBMISSIONS.ill
      .map((ill) => worstEnd(submissions, ill))
      .filter(({ evidence, spanMs }) => evidence > SUBMISSION_EVIDENCE && spanMs >= SUBMISSION_SPAN_MS)
      .sort((a, b) => b.evidence - a.evidence)[0]
    if (!found) return []
    const { n, failed } = found
    return sign('R03', 'submissions fail', entity, 'error', { n, failed }, { within: [site(at)] })
  })
}

/** The newest submissions that say most against a place; the newest one failed. */
function worstEnd(submissions: readonly { readonly at: Date; readonly ok: boolean }[], ill: number) {
  const { usual } = SUBMISSIONS
  const newest = submissions.at(-1)
  let worst = { evidence: 0, n: 0, failed: 0, spanMs: 0 }
  if (!newest || newest.ok) return worst
  let evidence = 0
  let failed = 0
  for (let n = 1; n <= submissions.length; n++) {
    const { at, ok } = submissions[submissions.length - n]!
    evidence += ok ? Math.log((1 - ill) / (1 - usual)) : Math.log(ill / usual)
    if (ok) continue
    failed++
    const spanMs = newest.at.getTime() - at.getTime()
    if (evidence >= worst.evidence) worst = { evidence, n, failed, spanMs }
  }
  return worst
}

/** R04: a pilot waits far longer than usual although there is room. */
export function waitingPilots(now: Date, { resources = [] }: Picture): Sign[] {
  return resources.flatMap(({ resource, site: at, oldestWaitingSince, usualWaitMs, freeSlots, waiting }) => {
    if (!oldestWaitingSince || freeSlots === null || freeSlots <= 0) return []
    const age = now.getTime() - oldestWaitingSince.getTime()
    if (age <= Math.max(SIX_HOURS, 3 * (usualWaitMs ?? 0))) return []
    return sign(
      ...(['R04', 'pilots wait', { kind: 'resource', name: resource }, 'warn'] as const),
      { waiting, oldestHours: hours(age), freeSlots },
      { within: [site(at)] },
    )
  })
}

/** R04: for an hour hardly any pilot runs although jobs wait. */
export function nothingRuns({ resources = [] }: Picture): Sign[] {
  return resources.flatMap(({ resource, site: at, waiting, running, demand }) => {
    const all = waiting + running
    if (all < 20 || waiting <= 0.9 * all || demand === 0) return []
    return sign(
      ...(['R04', 'nothing runs', { kind: 'resource', name: resource }, 'warn'] as const),
      { waiting, running, demand },
      { within: [site(at)], forMs: HOUR_MS },
    )
  })
}

/** R05: pilots start and find nothing to do while jobs wait that would fit. */
export function emptyPilots({ resources = [] }: Picture): Sign[] {
  return resources.flatMap(({ resource, site: at, ended, empty, demand }) => {
    if (demand === 0 || wilsonLower(empty, ended) <= 0.5) return []
    return sign(
      ...(['R05', 'pilots are empty', { kind: 'resource', name: resource }, 'error'] as const),
      { ended, empty, demand },
      { within: [site(at)] },
    )
  })
}

/** R06 and R07: far below, or for failures above, what is usual at this hour of the week. Nobody's fault when nothing waits. */
export function unusual({ trends = [] }: Picture): Sign[] {
  return trends.flatMap(({ entity, what, last, usual, demand }) => {
    if (last.length < 6 || usual.length < 4) return []
    const middle = median(usual)
    const spread = Math.max(robustSpread(usual), Math.sqrt(Math.max(middle, 1)))
    const facts = { now: last.at(-1)!, usual: Math.round(middle * 10) / 10 }
    if (what === 'failed jobs') {
      const rose = last.slice(-3).every((value) => value > middle + 4 * spread && value >= 10)
      return rose ? [sign('R07', 'more failures', entity, 'warn', facts)] : []
    }
    const dropped =
      demand > 0 && middle > 0 && last.every((value) => value < middle - 4 * spread && value < middle / 2)
    if (!dropped) return []
    return what === 'running pilots'
      ? [sign('R06', 'fewer pilots', entity, 'warn', facts)]
      : [sign('R07', 'fewer jobs', entity, 'warn', facts)]
  })
}

/** R09: jobs that somebody should have moved on. Of one state and site, one finding. */
export function stuckJobs(now: Date, { stuckJobs: stuck = [] }: Picture): Sign[] {
  return stuck.flatMap(({ state, site: at, n, oldestSince, limitMs }) => {
    const age = now.getTime() - oldestSince.getTime()
    if (n === 0 || age <= limitMs) return []
    const entity = at === null ? ({ kind: 'central', name: 'jobs' } as const) : site(at)
    return sign('R09', `stuck in ${state}`, entity, 'warn', {
      ...{ state, n, oldestMinutes: minutes(age), limitMinutes: minutes(limitMs) },
    })
  })
}

/** R10: a node or site that eats jobs: many, quickly, and most of them fail. */
export function blackHoles({ consumption = [] }: Picture): Sign[] {
  return consumption.flatMap((one) => {
    const { site: at, node, n, failed, perHour, usualPerHour, medianWallMs, usualWallMs } = one
    if (perHour <= 5 * usualPerHour || wilsonLower(failed, n) <= 0.5) return []
    if (medianWallMs >= 0.1 * usualWallMs) return []
    const entity = node === null ? site(at) : ({ kind: 'node', name: node } as const)
    return sign(
      ...(['R10', 'black hole', entity, 'critical'] as const),
      { n, failed, perHour: Math.round(perHour), usualPerHour: Math.round(usualPerHour) },
      { within: node === null ? [] : [site(at)] },
    )
  })
}

/**
 * R11: somebody's jobs fail wherever they run, or somebody waits with far more than a share. The day tells of what is
 * over, too, and of the faults of others: half of the last hour's jobs that nothing else explains must have failed, and for
 * two hours.
 */
export function users({ users: all = [] }: Picture, lately?: readonly JobFact[]): Sign[] {
  const still = (user: string): boolean => {
    const own = (lately ?? []).filter(({ attributes }) => attributes.user === user)
    const bad = own.reduce((sum, one) => sum + one.failed, 0)
    return bad >= 3 && 2 * bad >= own.reduce((sum, one) => sum + one.n, 0)
  }
  return all.flatMap(({ user, n, failed, sites, waiting, fairShare }) => {
    const entity = { kind: 'user', name: user } as const
    const found: Sign[] = []
    if (n >= 30 && sites >= 3 && wilsonLower(failed, n) > 0.5 && (!lately || still(user))) {
      const forMs = lately ? 2 * HOUR_MS : 0
      found.push(sign('R11', 'jobs of a user fail', entity, 'warn', { n, failed, sites }, { forMs }))
    }
    if (fairShare > 0 && waiting > 20 * fairShare) {
      found.push(sign('R11', 'a user waits with many', entity, 'info', { waiting, fairShare }))
    }
    return found
  })
}

/** R17 and R18: a step of a production fails too often, or does not get on. */
export function transformations(now: Date, { transformations: all = [] }: Picture): Sign[] {
  return all.flatMap((one) => {
    const { done, failed, waiting, held, startedAt, lastDoneAt, usualJobMs, donePerDay, remaining } = one
    const entity = { kind: 'transformation', name: one.transformation } as const
    const within = [{ kind: 'production', name: one.production } as const]
    const found: Sign[] = []
    const n = done + failed
    if (n >= 8 && wilsonLower(failed, n) > 0.3) {
      const facts = { done, failed, failedPercent: percent(failed, n) }
      found.push(sign('R17', 'a step fails', entity, 'error', facts, { within }))
    }
    const idle = now.getTime() - Math.max(startedAt.getTime(), lastDoneAt?.getTime() ?? 0)
    if (!held && waiting > 0 && idle > Math.max(SIX_HOURS, 5 * (usualJobMs ?? 0))) {
      found.push(sign('R18', 'no progress', entity, 'warn', { waiting, idleHours: hours(idle) }, { within }))
    } else if (!held && donePerDay > 0 && remaining / donePerDay > 365) {
      const facts = { remaining, days: Math.round(remaining / donePerDay) }
      found.push(sign('R18', 'never ends', entity, 'warn', facts, { within }))
    }
    return found
  })
}

/** R15 and R16: files of the experiment that are not processed, and how late the chain is. */
export function rawData(now: Date, { rawInputs = [], rawLatencies = [] }: Picture): Sign[] {
  const troubles = grouped(rawInputs, (one) => troubleOf(now, one))
  const files = [...troubles].flatMap(([code, all]) => (code === null ? [] : rawFiles(now, code, all)))
  const stages = rawLatencies.flatMap(({ stage, p95Ms, n }) => {
    const limit = PROMISED_MS[stage]
    if (n === 0 || p95Ms <= limit) return []
    const facts = { stage, p95Hours: hours(p95Ms), limitHours: hours(limit), n }
    return sign('R16', 'raw data late', { kind: 'central', name: `raw data: ${stage}` }, 'error', facts)
  })
  return [...files, ...stages]
}

function troubleOf(now: Date, one: RawInput): string | null {
  if (one.availableCopies === 0) return 'raw file without a copy'
  if (!one.consistent) return 'raw file differs'
  if (one.processed) return null
  if (one.failedAttempts >= 3 && one.failedSites >= 2) return 'raw file fails'
  return now.getTime() - one.registeredAt.getTime() > DAY_MS ? 'raw file is late' : null
}

/** More than this are one trouble: of a run, or of the chain when there are as many runs. */
const EACH = 3

function rawFiles(now: Date, code: string, all: readonly RawInput[]): Sign[] {
  const tell = (name: string, some: readonly RawInput[]) =>
    sign('R15', code, { kind: 'central', name }, 'critical', {
      ...{ files: some.length, first: some.map((one) => one.name).sort()[0]! },
    })
  if (all.length > EACH) {
    const runs = grouped(all, ({ run }) => run)
    if (runs.size > EACH) return [tell('raw data', all)]
    return [...runs].map(([run, some]) => tell(`raw data of run ${run}`, some))
  }
  return all.map(({ name, run, availableCopies, failedAttempts, failedSites, registeredAt }) => {
    const ageHours = hours(now.getTime() - registeredAt.getTime())
    const facts = { run, availableCopies, failedAttempts, failedSites, ageHours }
    return sign('R15', code, { kind: 'file', name }, 'critical', facts)
  })
}

const PROMISED_MS = { registered: HOUR_MS, 'second copy': DAY_MS, processed: 3 * DAY_MS } as const
