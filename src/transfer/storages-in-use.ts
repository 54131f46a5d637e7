import type { RseTable } from '../catalog/index.ts'
import type { Clock, Db } from '../kernel/index.ts'
import { type Downtime, downtimesAhead, presentDowntime } from '../sites/index.ts'

/** Every claim asks for each storage it meets; downtimes are read at most so often. */
const KEPT_MS = 1_000

/** Whether a storage may be used now: not while it, or its site, is in an announced outage. */
export function storagesInUse({ db, clock, rses }: { db: Db; clock: Clock; rses: RseTable }) {
  let known: { at: number; downtimes: Promise<readonly Downtime[]> } | undefined
  const read = (now: Date): Promise<readonly Downtime[]> => {
    if (known && now.getTime() - known.at < KEPT_MS) return known.downtimes
    const fresh = { at: now.getTime(), downtimes: downtimesAhead(db, now, null) }
    known = fresh
    fresh.downtimes.catch(() => {
      if (known === fresh) known = undefined
    })
    return fresh.downtimes
  }
  return async (vo: string, name: string): Promise<boolean> => {
    const now = clock.now()
    const downtimes = (await read(now)).filter((downtime) => downtime.vo === vo)
    if (downtimes.length === 0) return true
    const site = (await rses.all(vo)).find((rse) => rse.name === name)?.attributes.site
    if (typeof site !== 'string') return true
    return presentDowntime(downtimes, { site, storage: name }, now)?.severity !== 'OUTAGE'
  }
}
