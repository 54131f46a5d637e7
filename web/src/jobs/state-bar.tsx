import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { count } from '../common/format.ts'
import { type JobFilter, type JobState, jobCountsQuery } from '../doors/jobs.ts'
import { useMessages } from '../language/index.tsx'
import { JobMark } from './parts.tsx'

/** In the order of a job's life; each with the look of its part of the bar. */
const PARTS = {
  Done: 's-ok',
  Completing: 's-moving',
  Running: 's-moving',
  Stalled: 's-stalled',
  Matched: 's-matched',
  Waiting: 's-waiting',
  Checking: 's-waiting',
  Received: 's-waiting',
  Rescheduled: 's-waiting',
  Killed: 's-killed',
  Failed: 's-failed',
} as const satisfies Partial<Record<JobState, string>>
const ORDER = Object.keys(PARTS) as (keyof typeof PARTS)[]

/** How many jobs are in each state, as a bar and as words that lead to the lists. */
export function StateBar({ filter, status }: { filter: JobFilter; status: string | undefined }) {
  const t = useMessages()
  const asked = useQuery(jobCountsQuery(filter))
  const counts = new Map(asked.data?.counts.map((one) => [one.status, one.count]))
  const shown = ORDER.filter((state) => counts.get(state) || state === status)
  const total = ORDER.reduce((sum, state) => sum + (counts.get(state) ?? 0), 0)
  return (
    <nav className="panel states" aria-label={t.jobs.byState}>
      <div className="strip thick" aria-hidden="true">
        {shown.map((state) => (
          <i key={state} className={PARTS[state]} style={{ flexGrow: counts.get(state) ?? 0 }} />
        ))}
      </div>
      <ul>
        <li>
          <Link to="/jobs" search={filter} data-on={!status} aria-current={!status ? 'true' : undefined}>
            {t.jobs.all} <b>{count(total)}</b>
          </Link>
        </li>
        {shown.map((state) => (
          <li key={state}>
            <Link
              to="/jobs"
              search={{ ...filter, status: state }}
              data-on={status === state}
              aria-current={status === state ? 'true' : undefined}
            >
              <i className={`swatch ${PARTS[state]}`} aria-hidden="true" />
              <JobMark state={state} /> <b>{count(counts.get(state) ?? 0)}</b>
            </Link>
          </li>
        ))}
      </ul>
      {asked.data?.among && <span className="quiet">{t.jobs.among(asked.data.among)}</span>}
    </nav>
  )
}
