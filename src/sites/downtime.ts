/** A time in which a site, or one storage or place of it, does not work (OUTAGE) or not fully (WARNING). */
export interface Downtime {
  readonly id: number
  readonly vo: string
  readonly site: string
  /** Of one storage, or of one place that runs jobs; both null: of the whole site. */
  readonly storage: string | null
  readonly resource: string | null
  readonly severity: 'OUTAGE' | 'WARNING'
  readonly startsAt: Date
  readonly endsAt: Date
  readonly reason: string
  readonly madeBy: string
  readonly madeAt: Date
  readonly cancelledBy: string | null
  readonly cancelledAt: Date | null
}

/** What may be affected: a site as a whole, one of its storages, or one of its places. */
export interface Affected {
  readonly site: string
  readonly storage?: string
  readonly resource?: string
}

const concerns = (downtime: Downtime, { site, storage, resource }: Affected): boolean =>
  downtime.site === site &&
  (downtime.storage === null || downtime.storage === storage) &&
  (downtime.resource === null || downtime.resource === resource)

/** The outage that begins first of those that are not over: present or to come. Pure. */
export function nextOutage(
  downtimes: readonly Downtime[],
  affected: Affected,
  now: Date,
): Downtime | undefined {
  return downtimes
    .filter(
      (one) =>
        one.severity === 'OUTAGE' && one.cancelledAt === null && one.endsAt > now && concerns(one, affected),
    )
    .sort((a, b) => a.startsAt.getTime() - b.startsAt.getTime())[0]
}

/** The downtime that counts at this moment: an outage before a warning, then the one that ends last. Pure. */
export function presentDowntime(
  downtimes: readonly Downtime[],
  affected: Affected,
  now: Date,
): Downtime | undefined {
  const outage = ({ severity }: Downtime) => Number(severity === 'OUTAGE')
  return downtimes
    .filter(
      (one) => one.cancelledAt === null && one.startsAt <= now && one.endsAt > now && concerns(one, affected),
    )
    .sort((a, b) => outage(b) - outage(a) || b.endsAt.getTime() - a.endsAt.getTime())[0]
}

/** Whole seconds until the next outage begins, 0 within one; infinite when none is announced. */
export const secondsUntil = (outage: Downtime | undefined, now: Date): number =>
  outage
    ? Math.max(0, Math.floor((outage.startsAt.getTime() - now.getTime()) / 1000))
    : Number.POSITIVE_INFINITY

/** `osaka is in downtime until 2026-11-25T06:00:00.000Z: new cooling` */
export function describeDowntime(downtime: Downtime, now: Date): string {
  const { site, storage, resource, startsAt, endsAt, reason, severity } = downtime
  const name = storage ?? resource ?? site
  const is = severity === 'OUTAGE' ? 'in downtime' : 'at risk'
  return startsAt > now
    ? `${name} will be ${is} from ${startsAt.toISOString()} until ${endsAt.toISOString()}: ${reason}`
    : `${name} is ${is} until ${endsAt.toISOString()}: ${reason}`
}
