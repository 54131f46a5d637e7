import type { Db } from '../kernel/database.ts'
import { type CountsAt, countsOver, HELD, STATES, stateName } from '../workload/index.ts'

export interface TimelinePoint {
  /** Beginning of the interval. */
  readonly at: Date
  /** Jobs in states that do not last, at the end of the interval. */
  readonly counts: Readonly<Record<string, number>>
  /** Jobs that came to an end in it. */
  readonly ended: { readonly Done: number; readonly Failed: number; readonly Killed: number }
}
export interface JobTimeline {
  /** Length of an interval in seconds. */
  readonly seconds: number
  /** Oldest first; intervals in which nobody counted are left out. */
  readonly points: readonly TimelinePoint[]
}

const HOUR_MS = 3_600_000
/** Hours that can be seen, and the intervals in which. */
const STEPS = [
  { hours: 2, seconds: 60 },
  { hours: 24, seconds: 600 },
  { hours: 168, seconds: 3600 },
  { hours: Number.POSITIVE_INFINITY, seconds: 14_400 },
]
const LASTING: readonly number[] = [STATES.Done, STATES.Failed, STATES.Killed, STATES.Deleted]

/** How many jobs were in each state over the last hours. At most some hundred lines are read, however many jobs there are. */
export async function jobTimeline(db: Db, now: Date, vo: string, hours: number): Promise<JobTimeline> {
  const { seconds } = STEPS.find((step) => hours <= step.hours)!
  const stepMs = seconds * 1000
  const last = Math.floor(now.getTime() / stepMs) * stepMs
  const from = new Date(last + stepMs - hours * HOUR_MS)
  const lines = await countsOver(db, vo, { from, now: new Date(last), seconds })
  const points = lines.flatMap((line, i) =>
    line.at < from ? [] : [{ at: line.at, counts: alive(line), ended: endedSince(line, lines[i - 1]) }],
  )
  return { seconds, points }
}

function alive({ counts }: CountsAt): Record<string, number> {
  const known = Object.entries(counts).filter(([state]) => !LASTING.includes(Number(state)))
  return Object.fromEntries(
    known.map(([state, n]) => [Number(state) === HELD ? 'Held' : stateName(Number(state)), n]),
  )
}

/** Before the first line of all nothing had been counted. */
function endedSince(line: CountsAt, before: CountsAt | undefined): TimelinePoint['ended'] {
  const of = (state: number) => Math.max(0, (line.arrived[state] ?? 0) - (before?.arrived[state] ?? 0))
  return { Done: of(STATES.Done), Failed: of(STATES.Failed), Killed: of(STATES.Killed) }
}
