import { type Db, type Tx, transaction } from '../kernel/database.ts'
import {
  addDowntime,
  type Downtime,
  describeDowntime,
  downtimesAhead,
  downtimesBetween,
  endDowntime,
  type NewDowntime,
} from '../sites/index.ts'
import { resourcesOf } from '../workload/index.ts'
import { notAtSite } from './errors.ts'
import { addEntries } from './shifts/log.store.ts'
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
  return transaction(db, async (tx) => {
    const made = await addDowntime(tx, now, downtime)
    await log(tx, now, made, 'downtime.added', made.madeBy)
    return downtimeLine(made, now)
  })
}

/** Ends a downtime now, or withdraws one that has not begun. Throws no_such_downtime, downtime_over. */
export async function finishDowntime(
  db: Db,
  now: Date,
  order: { vo: string; id: number; by: string },
): Promise<DowntimeLine> {
  return transaction(db, async (tx) => {
    const ended = await endDowntime(tx, now, order)
    await log(tx, now, ended, 'downtime.ended', order.by)
    return downtimeLine(ended, now)
  })
}

/** Into the log of the shift. */
function log(tx: Tx, now: Date, downtime: Downtime, kind: string, author: string): Promise<void> {
  const { vo, id, site } = downtime
  const told = describeDowntime(downtime, now)
  const text =
    kind === 'downtime.added'
      ? `Downtime ${id} announced: ${told}`
      : `Downtime ${id} of ${downtime.storage ?? downtime.resource ?? site} ${downtime.cancelledAt ? 'withdrawn' : 'ended'}`
  return addEntries(tx, [{ vo, at: now, author, kind, text, site }])
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

function downtimeLine({ vo: _, ...downtime }: Downtime, now: Date): DowntimeLine {
  const { cancelledAt, startsAt, endsAt } = downtime
  const state = cancelledAt ? 'cancelled' : endsAt <= now ? 'over' : startsAt <= now ? 'present' : 'announced'
  return { ...downtime, state }
}
