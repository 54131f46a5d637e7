import { type JobView, STATES } from '../workload/index.ts'

/** Whose doing a failed job is; decides whether and when its task is tried again. */
export type FailureClass = 'site' | 'input' | 'storage' | 'output' | 'limit' | 'program' | 'killed'

/** Jobs after the first, and how long a task waits for the next one. */
export const RETRIES: Readonly<Record<FailureClass, { readonly more: number; readonly waitMs: number }>> = {
  // Starts that a site spoils are repeated by the workload already; ten of them in a row made this failure.
  site: { more: 4, waitMs: 600_000 },
  input: { more: 5, waitMs: 600_000 },
  storage: { more: 5, waitMs: 60_000 },
  output: { more: 4, waitMs: 0 },
  program: { more: 4, waitMs: 0 },
  limit: { more: 1, waitMs: 0 },
  // Somebody wanted it to end.
  killed: { more: 0, waitMs: 0 },
}

/** How a refusal of `commit.ts` begins, so that it is known again in the words of a job. */
export const REFUSED = 'Wrong output: '

const LIMITS = /exceeded maximum|CPU limit|insufficient disk|memory/i

/** The class of a job that ended without success. */
export function failureOf({
  state,
  minor,
  application,
}: Pick<JobView, 'state' | 'minor' | 'application'>): FailureClass {
  if (state === STATES.Killed || state === STATES.Deleted) return 'killed'
  if (minor === 'Maximum of reschedulings reached' || /stalled/i.test(minor)) return 'site'
  if (/^Input Data|Waited for/.test(minor)) return 'input'
  if (application.includes(REFUSED)) return 'output'
  if (minor === 'Output Data Not Registered') return 'storage'
  if (LIMITS.test(minor)) return 'limit'
  return 'program'
}

/** When a task is submitted again after its job failed; null: never. `tries` counts its jobs so far. */
export function againAt(failure: FailureClass, tries: number, now: Date): Date | null {
  const { more, waitMs } = RETRIES[failure]
  return tries > more ? null : new Date(now.getTime() + waitMs)
}
