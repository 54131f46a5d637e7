import { HOUR_MS, hours, isOf, rank, type Sign, sign } from './finding.ts'
import { type Downtime, type Entity, entityKey } from './types.ts'

const MUTED = /^R(0[2-9]|1[0-49])$/
/** Rules that look back over the last hour. The sums of evidence do not: they stand still in a downtime. */
const LOOKS_BACK = /^R(03|04|05|06|07|19)$/
const UNTIL_SAID_MS = 4 * HOUR_MS
const LOOK_AHEAD_MS = 12 * HOUR_MS
/** What ended badly during a downtime is still in the window of the localiser so long after it. */
const AFTERMATH_MS = HOUR_MS

type Part = { readonly entity: Entity; readonly within?: readonly Entity[] }

const concerns = ({ entity }: Downtime, part: Part): boolean => isOf(part, entityKey(entity))

/** Whether something is in a declared downtime at a moment. */
export const inDowntime = (downtimes: readonly Downtime[], part: Part, at: number): boolean =>
  downtimes.some((one) => one.from.getTime() <= at && at < one.to.getTime() && concerns(one, part))

export const inAftermath = (downtimes: readonly Downtime[], part: Part, now: number): boolean =>
  downtimes.some(
    (one) => one.from.getTime() <= now && now < one.to.getTime() + AFTERMATH_MS && concerns(one, part),
  )

/** R01: what is declared, and what will be. */
export function declared(now: Date, downtimes: readonly Downtime[]): Sign[] {
  return downtimes.flatMap(({ entity, severity, from, to }) => {
    const starts = from.getTime() - now.getTime()
    if (to <= now || starts > LOOK_AHEAD_MS) return []
    const facts = { hoursLeft: hours(to.getTime() - now.getTime()) }
    if (starts <= 0) return [sign('R01', `downtime: ${severity}`, entity, 'info', facts, { since: from })]
    return [sign('R01', 'downtime comes', entity, 'info', { ...facts, hoursUntil: hours(starts) })]
  })
}

/** R01: an entity in downtime says nothing of its pilots, jobs, transfers and tests. */
export const muted = (downtimes: readonly Downtime[], one: Sign, now: number): boolean =>
  MUTED.test(one.rule) &&
  (inDowntime(downtimes, one, now) || (LOOKS_BACK.test(one.rule) && inAftermath(downtimes, one, now)))

/** R02: a place is ill for four hours and nobody has declared a downtime. */
export function undeclared(
  now: Date,
  signs: readonly (Sign & { readonly since: Date })[],
  explained: (one: Sign) => boolean,
): Sign[] {
  const oldest = new Map<string, { entity: Entity; within: readonly Entity[]; since: Date }>()
  for (const one of signs) {
    const place =
      one.entity.kind === 'site' || one.entity.kind === 'storage' || one.entity.kind === 'resource'
    if (!place || !MUTED.test(one.rule) || rank(one.severity) < rank('error') || explained(one)) continue
    const key = entityKey(one.entity)
    const known = oldest.get(key)
    if (!known || one.since < known.since) oldest.set(key, one)
  }
  return [...oldest.values()].flatMap(({ entity, within, since }) => {
    const age = now.getTime() - since.getTime()
    if (age <= UNTIL_SAID_MS) return []
    return sign('R02', 'no downtime declared', entity, 'warn', { hours: hours(age) }, { within })
  })
}
