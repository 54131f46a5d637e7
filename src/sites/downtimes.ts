import { type Db, transaction } from '../kernel/database.ts'
import { publish, wake } from '../kernel/events.ts'
import { type Downtime, describeDowntime } from './downtime.ts'
import * as store from './downtimes.store.ts'
import { badDowntime, downtimeOver, noSuchDowntime, noSuchSite } from './errors.ts'
import { sitesOf } from './sites.store.ts'

export { downtimesAhead, downtimesBetween, type NewDowntime } from './downtimes.store.ts'

/** Half a year: longer than that a site is not away but gone. */
const LONGEST_MS = 183 * 86_400_000
const PAST_MS = 86_400_000

/** Announces a downtime. Throws no_such_site, bad_downtime. */
export async function addDowntime(db: Db, now: Date, downtime: store.NewDowntime): Promise<Downtime> {
  const { vo, site, startsAt, endsAt, reason } = downtime
  if (endsAt <= startsAt) throw badDowntime('A downtime ends after it begins.')
  if (endsAt <= now) throw badDowntime('This downtime would be over already.')
  if (startsAt.getTime() < now.getTime() - PAST_MS)
    throw badDowntime('A downtime cannot begin more than a day ago.')
  if (endsAt.getTime() - startsAt.getTime() > LONGEST_MS)
    throw badDowntime('A downtime lasts half a year at most.')
  if (reason.trim() === '') throw badDowntime('A downtime needs a reason: whose jobs wait wants to know it.')
  return transaction(db, async (tx) => {
    if (!(await sitesOf(tx, vo)).some(({ name }) => name === site))
      throw noSuchSite(`There is no site ${site}.`)
    const made = await store.insertDowntime(tx, now, downtime)
    await tell(tx, now, 'downtime.added', made, made.madeBy)
    return made
  })
}

/** Ends a downtime early, or withdraws one that has not begun. Throws no_such_downtime, downtime_over. */
export async function endDowntime(
  db: Db,
  now: Date,
  { vo, id, by }: { vo: string; id: number; by: string },
): Promise<Downtime> {
  return transaction(db, async (tx) => {
    const found = await store.downtimeOf(tx, vo, id)
    if (!found) throw noSuchDowntime(`There is no downtime ${id}.`)
    if (found.cancelledAt || found.endsAt <= now) throw downtimeOver(`The downtime ${id} is over already.`)
    const ended = await store.endDowntime(tx, now, id, by)
    await tell(tx, now, 'downtime.ended', ended, by)
    return ended
  })
}

async function tell(
  tx: Parameters<typeof publish>[0],
  now: Date,
  kind: string,
  downtime: Downtime,
  by: string,
) {
  const { vo, id, site, storage, resource, severity, startsAt, endsAt, reason } = downtime
  const payload = { id, storage, resource, severity, startsAt, endsAt, reason, by }
  const text = describeDowntime(downtime, now)
  await publish(tx, now, [{ vo, kind, subject: site, payload: { ...payload, text } }])
  // Matchers and movers, in every process.
  await wake(tx, 'workload', 'transfer_wish')
}
