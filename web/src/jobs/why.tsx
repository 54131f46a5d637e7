import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Panel } from '../common/acting.tsx'
import { count, percent, timesIn } from '../common/format.ts'
import { Mark, Pending, Time } from '../common/parts.tsx'
import { type Explained, isOver, type Job, jobReasonQuery } from '../doors/jobs.ts'
import type { Messages } from '../language/en.ts'
import { useMessages } from '../language/index.tsx'

/** The server counts no further. */
const MOST_AHEAD = 10_000

/** Why a job is in its present state, and where it could run. */
export function Why({ job }: { job: Job }) {
  const t = useMessages()
  const asked = useQuery(jobReasonQuery(String(job.id)))
  const over = isOver(job.status)
  const waits = ['Received', 'Checking', 'Waiting', 'Rescheduled'].includes(job.status)
  const title = over ? t.jobs.why.over : waits ? t.jobs.why.title : t.jobs.why.now
  if (over)
    return (
      <Panel title={title}>
        <p className={job.status === 'Failed' ? 'error flat' : 'flat'}>
          {job.minor}
          {job.application !== 'Unknown' && job.application !== '' && ` · ${job.application}`}
        </p>
      </Panel>
    )
  return (
    <Panel title={title}>
      {asked.data ? (
        <>
          <p className="flat">{reasonOf(asked.data, t)}</p>
          {asked.data.limits.map((limit) => (
            <div key={limit} className="quiet">
              {limit}
            </div>
          ))}
          {waits && <Places places={asked.data.places} />}
          {!waits && <p className="quiet flat">{asked.data.job.minor}</p>}
          {waits && asked.data.job.deadline && (
            <p className="quiet flat">
              {t.jobs.why.until}: <Time at={asked.data.job.deadline} />
            </p>
          )}
        </>
      ) : (
        <Pending of={asked} />
      )}
    </Panel>
  )
}

/** The short answer, from what the server found. */
function reasonOf({ job, owner, places, ahead, share, limits }: Explained, t: Messages): string {
  const { why } = t.jobs
  if (job.status === 'Received') return why.looking
  if (job.status === 'Checking') return why.apart
  if (job.status === 'Rescheduled') return why.rests
  if (job.status === 'Stalled') return why.silent
  if (job.status !== 'Waiting') return why.at(job.site ?? '–', job.attempt)
  if (owner === 'submitter') return why.held
  if (places.length === 0) return why.noPlaces
  const possible = places.filter(({ obstacles }) => obstacles.length === 0)
  if (possible.length === 0) return why.nowhere
  if (possible.every(({ paused }) => paused !== null)) return why.away
  if (limits.length > 0) return why.limit
  const part = percent(share?.group ?? 0)
  if (ahead === 0) return why.next(part)
  return why.queue(ahead >= MOST_AHEAD ? why.many(count(MOST_AHEAD)) : count(ahead), part)
}

function Places({ places }: Pick<Explained, 'places'>) {
  const t = useMessages()
  return (
    <ul className="sitelist" aria-label={t.jobs.why.places}>
      {places.map(({ resource, site, obstacles, paused }) => (
        <li key={resource}>
          <div className="row">
            <span>
              <Link to="/sites/$name" params={{ name: site }}>
                {site}
              </Link>{' '}
              <span className="quiet">{resource}</span>
            </span>
            {obstacles.length === 0 && paused === null && <Mark tone="ok">{t.jobs.why.may}</Mark>}
          </div>
          {obstacles.map(({ kind, text }) => (
            <div key={kind} title={text}>
              <Mark tone="unknown">{t.jobs.why.obstacle(kind, text)}</Mark>
            </div>
          ))}
          {paused !== null && <Mark tone="degraded">{t.jobs.why.paused(timesIn(paused))}</Mark>}
        </li>
      ))}
    </ul>
  )
}
