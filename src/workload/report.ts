import { type Db, transaction } from '../kernel/index.ts'
import { pilotOver } from './errors.ts'
import { type PilotRow, touchPilot } from './lease.store.ts'
import { ownPilot, PILOT_SILENT_MS } from './lease.ts'
import * as store from './report.store.ts'
import type { Held } from './types.ts'

export type { LogPart, StartReport } from './report.store.ts'

/** Of each stream of a start so many bytes are kept, the first ones: what comes later is in its output. */
export const LOG_BYTES = 2n << 20n

export interface HeartbeatAnswer {
  /** Starts that the pilot no longer holds: stop them and throw away what they made. */
  readonly stop: readonly Held[]
  /** Take nothing new, end when the present starts are over. */
  readonly drain: boolean
}

/** What a pilot tells of its starts: it keeps its leases by this, and learns which it has lost. */
export async function heartbeat(
  db: Db,
  input: {
    vo: string
    stamp: string
    now: Date
    reports: readonly store.StartReport[]
    logs: readonly store.LogPart[]
  },
): Promise<HeartbeatAnswer> {
  const { vo, stamp, now, reports, logs } = input
  const pilot = await ownPilot(db, vo, stamp)
  return transaction(db, async (tx) => {
    const held = await store.renewStarts(tx, now, pilot.id, reports)
    await store.addLogs(
      tx,
      pilot.id,
      logs.filter((part) => part.at < LOG_BYTES),
    )
    const alive = await stillAlive(tx, now, pilot)
    const mine = new Set(held.map(({ jobId, attempt }) => `${jobId} ${attempt}`))
    const stop = reports.filter(({ jobId, attempt }) => !mine.has(`${jobId} ${attempt}`))
    return {
      stop: stop.map(({ jobId, attempt }) => ({ jobId, attempt })),
      drain: alive.draining,
    }
  })
}

async function stillAlive(db: Db, now: Date, pilot: PilotRow): Promise<PilotRow> {
  const alive = await touchPilot(db, now, {
    id: pilot.id,
    until: new Date(now.getTime() + PILOT_SILENT_MS),
  })
  if (!alive) throw pilotOver(`The pilot ${pilot.stamp} was given up; end it.`)
  return alive
}
