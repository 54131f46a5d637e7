import {
  besideCauses,
  causesNow,
  explainedBy,
  ownBins,
  signOf,
  unexplainedJobs,
  withoutExplained,
} from './causes.ts'
import { advanceAll } from './cusum.ts'
import { declared, inAftermath, inDowntime, muted, undeclared } from './downtimes.ts'
import { withoutWorseEnds } from './ends.ts'
import { closure, MINUTE_MS, minutes, percent, rank, type Sign, sign, signKey } from './finding.ts'
import { EVERYWHERE_ENTITY } from './localise.ts'
import { illMachines } from './machines.ts'
import * as work from './pilots-and-jobs.ts'
import * as services from './storage-and-services.ts'
import {
  BIN_MS,
  type Cause,
  type Detection,
  type Entity,
  type EntityMemory,
  entityKey,
  type Finding,
  type Measure,
  type Memory,
  type Picture,
  type RuleId,
} from './types.ts'

/** A rule that is silent for so long and holds again has begun anew. */
const PAUSE_MS = 30 * MINUTE_MS
/** Evidence of one kind that is worth a finding of its own beside the strongest. */
const WORTH = 5

export const emptyMemory: Memory = { version: 2, upTo: 0, entities: {}, seen: {}, causes: {} }

/**
 * One look at the grid: what is wrong now, and what is held to be the cause. Call it every few minutes with what it
 * said to remember; what is given twice counts once. Pure: the same memory, moment and picture give the same answer.
 */
export function detect(memory: Memory, now: Date, picture: Picture): Detection {
  const at = now.getTime()
  const downtimes = picture.downtimes ?? []
  // A link is within its storages and so within their sites, whose downtimes are its own.
  const parts = wholesOf(picture, memory.entities)
  const believed = Object.values(memory.causes).map(({ cause }) => cause)
  const { entities: weighed, upTo } = advanceAll(
    memory.entities,
    memory.upTo,
    at,
    ownBins(picture.bins, picture.jobs ?? [], believed),
    ({ entity, within = [] }, start) =>
      downtimes.length > 0 && inDowntime(downtimes, { entity, within: closure(within, parts) }, start),
    besideCauses(picture.bins, believed),
  )
  const wholes = wholesOf(picture, weighed)
  const named = causesNow(memory.causes, now, picture, weighed, wholes)
  const known = Object.values(named)
  const causes = known.map(({ cause }) => cause)
  const silent = causes.filter((cause) => inAftermath(downtimes, cause, at))
  const loud = causes.filter((cause) => !silent.includes(cause)).sort((a, b) => b.score - a.score)

  const entities = withoutWorseEnds(withoutExplained(weighed, causes, at), picture.transfers ?? [], at)
  const raw = [
    ...Object.values(entities).flatMap((one) => alarmSigns(one, at)),
    ...ruleSigns(now, picture, causes, memory.seen[CENTRAL_SEEN]?.last),
    ...loud.map((cause) => signOf(cause, named[entityKey(cause.entity)]!.since)),
  ].map((one) => ({ ...one, within: closure(one.within, wholes) }))
  const heard = raw.filter(
    (one) => !muted(downtimes, one, at) && !silent.some((cause) => explainedBy(cause, one)),
  )
  const first = dated(memory.seen, at, heard)
  const explained = (one: Sign) => loud.some((cause) => explainedBy(cause, one))
  const second = dated(memory.seen, at, [
    ...declared(now, downtimes),
    ...undeclared(now, first.findings, explained),
  ])
  const findings = [...first.findings, ...second.findings].sort(
    (a, b) => rank(b.severity) - rank(a.severity) || a.since.getTime() - b.since.getTime(),
  )
  const seen = { ...stillSeen(memory.seen, at), ...first.seen, ...second.seen }
  return { memory: { version: 2, upTo, entities, seen, causes: named }, findings, causes: loud }
}

const RULE_OF: Readonly<Record<Measure, readonly [RuleId, string]>> = {
  jobs: ['R08', 'jobs fail'],
  pilots: ['R03', 'pilots fail'],
  tests: ['R14', 'tests fail'],
  transfers: ['R19', 'transfers fail'],
}

/** R03, R08, R14, R19: what the evidence against an entity consists of. */
function alarmSigns({ entity, within, evidence, since, recent }: EntityMemory, now: number): Sign[] {
  if (since === null) return []
  const all = Object.entries(evidence) as [Measure, number][]
  const most = Math.max(...all.map(([, value]) => value))
  const n = recent.reduce((sum, bin) => sum + bin.n, 0)
  const failed = recent.reduce((sum, bin) => sum + bin.failed, 0)
  const last = recent.at(-1)
  return all
    .filter(([, value]) => value >= WORTH || value === most)
    .map(([measure, value]) => {
      const jobs =
        measure === 'jobs' && last
          ? {
              n,
              failed,
              failedPercent: percent(failed, n),
              lastPercent: percent(last.failed, last.n),
              lastMinutes: minutes(now - last.start - BIN_MS),
            }
          : {}
      const facts = { evidence: Math.round(value * 10) / 10, ...jobs }
      return sign(...RULE_OF[measure], entity, 'error', facts, { within, since: new Date(since) })
    })
}

/** When something central was last the cause of failures; what failed until then says nothing of places. */
const CENTRAL_SEEN = `R20 cause of failures ${entityKey(EVERYWHERE_ENTITY)}`

const ruleSigns = (now: Date, picture: Picture, causes: readonly Cause[], centralUntil?: number): Sign[] => [
  ...work.failedSubmissions(now, picture, centralUntil),
  ...work.waitingPilots(now, picture),
  ...work.nothingRuns(picture),
  ...work.emptyPilots(picture),
  ...work.unusual(picture),
  ...work.stuckJobs(now, picture),
  ...work.blackHoles(picture),
  ...illMachines(picture.jobs ?? [], causes),
  ...work.users(picture, picture.jobs && unexplainedJobs(picture.jobs, causes, 'user')),
  ...work.transformations(now, picture),
  ...work.rawData(now, picture),
  ...services.centralSystems(now, picture),
  ...services.fullStorages(now, picture),
  ...services.silentGateways(now, picture),
  ...services.badLinks(picture),
  ...services.ruleBacklogs(now, picture),
  ...services.doubtfulCopies(picture),
]

function dated(
  seen: Memory['seen'],
  now: number,
  signs: readonly Sign[],
): { findings: Finding[]; seen: Record<string, { since: number; last: number }> } {
  const after: Record<string, { since: number; last: number }> = {}
  const findings: Finding[] = []
  for (const { since: own, forMs = 0, ...one } of signs) {
    const key = signKey(one)
    const before = seen[key]
    const since = own?.getTime() ?? (before && before.last >= now - PAUSE_MS ? before.since : now)
    after[key] = { since, last: now }
    if (now - since >= forMs) findings.push({ ...one, since: new Date(since) })
  }
  return { findings, seen: after }
}

const stillSeen = (seen: Memory['seen'], now: number): Memory['seen'] =>
  Object.fromEntries(Object.entries(seen).filter(([, { last }]) => last >= now - PAUSE_MS))

/** What entities are parts of, as far as the picture tells. */
function wholesOf(
  { storages = [], resources = [] }: Picture,
  entities: Memory['entities'],
): Map<string, readonly Entity[]> {
  const wholes = new Map<string, readonly Entity[]>()
  for (const { entity, within } of Object.values(entities)) {
    if (within.length > 0) wholes.set(entityKey(entity), within)
  }
  const add = (kind: 'storage' | 'resource', name: string, site: string | null) => {
    if (site !== null) wholes.set(entityKey({ kind, name }), [{ kind: 'site', name: site }])
  }
  for (const { storage, site } of storages) add('storage', storage, site)
  for (const { resource, site } of resources) add('resource', resource, site)
  return wholes
}
