/** States as the field names them; the numbers are those of its state machine, and of the database. */
export const STATES = {
  Submitting: 0,
  Received: 1,
  Checking: 2,
  Scouting: 3,
  Staging: 4,
  Waiting: 5,
  Matched: 6,
  Rescheduled: 7,
  Running: 8,
  Stalled: 9,
  Completing: 10,
  Completed: 11,
  Done: 12,
  Failed: 13,
  Killed: 14,
  Deleted: 15,
} as const
export type StateName = keyof typeof STATES

/** Waiting that its owner interrupted: the field has no name of its own for it, so outside it is Waiting. */
export const HELD = 16

/** States in which a pilot has the job. */
export const WITH_PILOT = [STATES.Matched, STATES.Running, STATES.Stalled, STATES.Completing] as const
/** States in which a job can be given up, put back or stopped by its owner before anybody runs it. */
export const BEFORE_PILOT = [
  STATES.Received,
  STATES.Checking,
  STATES.Waiting,
  STATES.Rescheduled,
  HELD,
] as const
export const FINAL = [STATES.Done, STATES.Failed, STATES.Killed, STATES.Deleted] as const

const names = new Map<number, StateName>([
  ...Object.entries(STATES).map(([name, code]) => [code, name as StateName] as const),
  [HELD, 'Waiting'],
])

export const stateName = (code: number): StateName => names.get(code) ?? 'Received'
export const isFinal = (code: number): boolean => (FINAL as readonly number[]).includes(code)
export const isWithPilot = (code: number): boolean => (WITH_PILOT as readonly number[]).includes(code)
export const isStateName = (name: string): name is StateName => Object.hasOwn(STATES, name)

/** Codes that are shown under a name. */
export function codesOf(name: string): number[] {
  if (name === 'Waiting') return [STATES.Waiting, HELD]
  return isStateName(name) ? [STATES[name]] : []
}

const MINUTE = 60_000
const DAY = 86_400_000

export interface StateEnd {
  /** Who sees to it that the state is left. */
  readonly owner: 'locator' | 'matcher' | 'submitter' | 'pilot' | 'committer'
  readonly afterMs: number
  /** What happens when nobody did. */
  readonly action: 'fail' | 'stall' | 'lose'
  readonly minor: string
}

/**
 * The end of every state that is not final. A pilot that is silent for five minutes leaves its jobs Stalled: they are
 * still its own, and come back to Running with its next report, so that a server may be away for half an hour. After
 * that the start is lost and the job waits again.
 */
export const ENDS: Readonly<Record<number, StateEnd>> = {
  [STATES.Received]: {
    ...{ owner: 'locator', afterMs: 7 * DAY, action: 'fail' },
    minor: 'Input Data Not Available',
  },
  [STATES.Checking]: {
    ...{ owner: 'locator', afterMs: 7 * DAY, action: 'fail' },
    minor: 'Input Data Not Available',
  },
  [STATES.Rescheduled]: {
    ...{ owner: 'locator', afterMs: DAY, action: 'fail' },
    minor: 'Not tried again for a day',
  },
  [STATES.Waiting]: {
    ...{ owner: 'matcher', afterMs: 30 * DAY, action: 'fail' },
    minor: 'Waited for thirty days',
  },
  [HELD]: { owner: 'submitter', afterMs: 90 * DAY, action: 'fail', minor: 'Held for ninety days' },
  [STATES.Matched]: {
    ...{ owner: 'pilot', afterMs: 5 * MINUTE, action: 'stall' },
    minor: 'Watchdog identified this job as stalled',
  },
  [STATES.Running]: {
    ...{ owner: 'pilot', afterMs: 5 * MINUTE, action: 'stall' },
    minor: 'Watchdog identified this job as stalled',
  },
  [STATES.Completing]: {
    ...{ owner: 'pilot', afterMs: 5 * MINUTE, action: 'stall' },
    minor: 'Watchdog identified this job as stalled',
  },
  [STATES.Stalled]: {
    ...{ owner: 'pilot', afterMs: 40 * MINUTE, action: 'lose' },
    minor: 'Job stalled: pilot not running',
  },
}

/** When a state that begins now ends by itself; null for final ones. */
export function deadlineOf(state: number, now: Date): Date | null {
  const end = ENDS[state]
  return end ? new Date(now.getTime() + end.afterMs) : null
}

const NEXT: Readonly<Record<StateName, readonly StateName[]>> = {
  Submitting: ['Received', 'Checking', 'Deleted', 'Killed'],
  Received: ['Scouting', 'Checking', 'Waiting', 'Failed', 'Deleted', 'Killed'],
  Checking: ['Scouting', 'Staging', 'Waiting', 'Rescheduled', 'Failed', 'Deleted', 'Killed'],
  Scouting: ['Checking', 'Failed', 'Stalled', 'Killed'],
  Staging: ['Checking', 'Waiting', 'Failed', 'Killed'],
  Waiting: ['Matched', 'Rescheduled', 'Deleted', 'Killed'],
  Matched: ['Running', 'Failed', 'Rescheduled', 'Killed'],
  Rescheduled: ['Waiting', 'Received', 'Deleted', 'Failed', 'Killed'],
  Running: ['Stalled', 'Done', 'Failed', 'Rescheduled', 'Completing', 'Killed', 'Received'],
  Stalled: ['Running', 'Failed', 'Killed'],
  Completing: ['Done', 'Failed', 'Completed', 'Stalled', 'Killed'],
  Completed: ['Done', 'Failed'],
  Done: ['Deleted'],
  Failed: ['Rescheduled', 'Deleted'],
  Killed: ['Deleted'],
  Deleted: [],
}

/** Whether the field's state machine lets one state follow another. */
export const mayFollow = (from: StateName, to: StateName): boolean => from === to || NEXT[from].includes(to)
