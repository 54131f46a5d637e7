/** Fewer than this tell nothing of a pace. */
const LEAST_TASKS = 5

export interface Pace {
  /** Amount of work, of whatever unit, that was done since a time. */
  readonly done: number
  readonly tasks: number
  readonly since: Date | null
}

/**
 * Seconds until so much work is done, at the pace of the last tasks; standing still counts, so that the answer grows
 * when nothing comes any more. null: not known.
 */
export function secondsLeft(left: number, { done, tasks, since }: Pace, now: Date): number | null {
  if (left <= 0) return 0
  const passed = since === null ? 0 : (now.getTime() - since.getTime()) / 1000
  if (tasks < LEAST_TASKS || passed <= 0 || done <= 0) return null
  return (left * passed) / done
}

/** When the slowest is done; null where one of them is not known. */
export const longest = (times: readonly (number | null)[]): number | null =>
  times.reduce((most, one) => (most === null || one === null ? null : Math.max(most, one)), 0)
