import type { Db } from '../kernel/database.ts'
import {
  addDowntime,
  type Downtime,
  downtimesAhead,
  downtimesBetween,
  type NewDowntime,
} from '../sites/index.ts'
import { resourcesOf } from '../workload/index.ts'
import { notAtSite } from './errors.ts'
import { siteLines } from './sites.ts'

export interface DowntimeLine extends Omit<Downtime, 'vo'> {
  readonly state: 'announced' | 'present' | 'over' | 'cancelled'
}

/** Announces a downtime of a site, or of a storage or place that belongs to it. Throws operations.not_at_site, no_such_site, bad_downtime. */
export async function announceDowntime(db: Db, now: Date, downtime: NewDowntime): Promise<DowntimeLine> {
  const { vo, site, storage, resource } = downtime
  if (storage !== null) {
    const storages = (await siteLines(db, now, vo)).find(({ name }) => name === site)?.storages ?? []
    if (!storages.includes(storage)) throw notAtSite(`The site ${site} has no storage ${storage}.`)
  }
  if (resource !== null) {
    const places = (await resourcesOf(db, vo)).filter((place) => place.site === site)
    if (!places.some(({ name }) => name === resource))
      throw notAtSite(`The site ${site} has no place ${resource}.`)
  }
  return downtimeLine(await addDowntime(db, now, downtime), now)
}

/** Present downtimes and those to come; with `from`, all that touch the time from then on, newest first. */
export async function downtimeLines(
  db: Db,
  now: Date,
  vo: string,
  from: Date | undefined,
): Promise<DowntimeLine[]> {
  const far = new Date(now.getTime() + 366 * 86_400_000)
  const found = from ? await downtimesBetween(db, vo, from, far) : await downtimesAhead(db, now, vo)
  return found.map((downtime) => downtimeLine(downtime, now))
}

export function downtimeLine({ vo: _, ...downtime }: Downtime, now: Date): DowntimeLine {
  const { cancelledAt, startsAt, endsAt } = downtime
  const state = cancelledAt ? 'cancelled' : endsAt <= now ? 'over' : startsAt <= now ? 'present' : 'announced'
  return { ...downtime, state }
}
