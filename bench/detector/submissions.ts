import type { Rng } from '../../src/kernel/ports.ts'
import { BIN_MS } from '../../src/operations/detection/index.ts'
import { judgePlace } from '../../src/workload/provision.ts'
import { startOf } from './world.ts'

/** What the provisioner knows of a place where pilots are started: its pause, and how the last three came on, newest first. */
export interface Place {
  readonly pauseMs: number
  readonly pausedUntil: Date | null
  readonly ends: readonly { readonly ok: boolean; readonly at: Date }[]
}

export interface Submission {
  readonly at: Date
  readonly ok: boolean
}

export const NEW_PLACE: Place = { pauseMs: 0, pausedUntil: null, ends: [] }

/** Until a gateway has told that a pilot could not be started, ms. */
const TOLD_MS = 10_000
const RESOURCE = {
  ...{ id: 0, vo: '', site: '', name: '', gateway: '', kind: '', cluster: null, platform: '', tags: [] },
  ...{ cores: 1, memoryMb: 0, diskMb: 0, seconds: 0, maxPilots: 0, maxWaiting: 0, pauseReason: null },
}

/**
 * Pilots that a grid tries to start at a place in one bin: `wanted` at any time, what fails once more as long as jobs
 * wait, by the provisioner's own rule: after three failures in a row nothing for a minute, then one pilot, nothing for
 * two minutes, and so on up to an hour; one good pilot opens the place again.
 */
export function submit(
  rng: Rng,
  before: Place,
  { bin, wanted, chance, waiting }: { bin: number; wanted: number; chance: number; waiting: boolean },
): { place: Place; tries: Submission[] } {
  const begin = startOf(bin).getTime()
  const end = begin + BIN_MS
  let place = before
  const due = Array.from({ length: wanted }, () => begin + BIN_MS * rng.next())
  const want = (at: number) => {
    if (at < end) due.push(at)
  }
  if (waiting && place.pausedUntil) want(Math.max(begin, place.pausedUntil.getTime()))
  const tries: Submission[] = []
  while (due.length > 0) {
    const next = due.indexOf(Math.min(...due))
    const [time] = due.splice(next, 1)
    const at = new Date(time!)
    if (place.pausedUntil && place.pausedUntil > at) continue
    const ok = rng.next() >= chance
    tries.push({ at, ok })
    const ends = [{ ok, at: new Date(time! + TOLD_MS) }, ...place.ends].slice(0, 3)
    place = judged({ ...place, ends })
    if (ok || !waiting) continue
    want(place.pausedUntil ? place.pausedUntil.getTime() : time! + TOLD_MS)
  }
  return { place, tries }
}

function judged(place: Place): Place {
  const { ends, pauseMs, pausedUntil } = place
  const pilots = ends.map(({ ok, at }) => ({
    ...{
      resourceId: 0,
      jobs: ok ? 1 : 0,
      spoilt: 0,
      state: ok ? 'Done' : 'Aborted',
      reason: '',
      endedAt: at,
    },
  }))
  const pause = judgePlace({ ...RESOURCE, pauseMs, pausedUntil }, pilots, ends[0]!.at)
  return pause ? { ends, pauseMs: pause.pauseMs, pausedUntil: pause.until } : place
}
