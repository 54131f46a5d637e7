import type { Db } from '../kernel/index.ts'
import * as store from './storage-fault.store.ts'

/** What one transfer tells of a side: nothing when it failed for another reason. */
export interface Observation extends store.Side {
  readonly saw: 'success' | 'fault' | 'nothing'
  readonly reason: string
  /** It was started to find out whether a blocked storage works again. */
  readonly probe: boolean
  readonly at: Date
}

/** The circuit breakers of storages: what this process saw lately, and what all processes know. */
export interface StorageHealth {
  /** Returns whether the side is blocked from now on. */
  observe(seen: Observation): boolean
  /** Tells the other processes what changed. */
  write(db: Db, now: Date): Promise<void>
  /** Blocked now; those whose time has come are due for one attempt. */
  read(
    db: Db,
    now: Date,
  ): Promise<{ blocked: ReadonlySet<string>; due: ReadonlySet<string>; next: Date | null }>
}

export const sideKey = ({ rseId, side }: store.Side): string => `${side} ${rseId}`

const LOOK_BACK = 10
const LOOK_BACK_MS = 60_000
const MOST_FAULTS = 5

/** More than five of the last ten, within a minute: then the fault is the storage's and not the file's. */
export function isBroken(recent: readonly { at: number; fault: boolean }[], now: number): boolean {
  const counted = recent.slice(-LOOK_BACK).filter(({ at }) => now - at < LOOK_BACK_MS)
  return counted.filter(({ fault }) => fault).length > MOST_FAULTS
}

export function createStorageHealth(): StorageHealth {
  const recent = new Map<string, { at: number; fault: boolean }[]>()
  const known = new Set<string>()
  const changes = new Map<string, store.FaultChange>()

  return {
    observe({ rseId, side, saw, reason, probe, at }) {
      const key = sideKey({ rseId, side })
      const change = (to: store.FaultChange['to']): boolean => {
        recent.delete(key)
        changes.set(key, { rseId, side, to, reason })
        return to === 'blocked'
      }
      if (saw === 'success') {
        if (known.has(key) || changes.has(key)) return change('open')
      } else if (probe) return change(saw === 'fault' ? 'still blocked' : 'due')
      if (saw === 'nothing') return false
      const list = [...(recent.get(key) ?? []), { at: at.getTime(), fault: saw === 'fault' }].slice(
        -LOOK_BACK,
      )
      recent.set(key, list)
      return saw === 'fault' && !known.has(key) && isBroken(list, at.getTime()) && change('blocked')
    },
    async write(db, now) {
      const list = [...changes.values()]
      if (list.length === 0) return
      await store.writeFaults(db, now, list)
      for (const change of list) {
        const key = sideKey(change)
        if (changes.get(key) === change) changes.delete(key)
        if (change.to === 'open') known.delete(key)
        else known.add(key)
      }
    },
    async read(db, now) {
      const rows = await store.readFaults(db)
      known.clear()
      for (const row of rows) known.add(sideKey(row))
      const blocked = new Set(rows.filter((row) => row.blockedUntil > now).map(sideKey))
      for (const [key, { to }] of changes) if (to === 'blocked') blocked.add(key)
      const due = new Set(rows.filter((row) => row.blockedUntil <= now).map(sideKey))
      const times = rows.filter((row) => row.blockedUntil > now).map((row) => row.blockedUntil.getTime())
      return { blocked, due, next: times.length > 0 ? new Date(Math.min(...times)) : null }
    },
  }
}
