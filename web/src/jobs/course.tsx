import { Panel } from '../common/acting.tsx'
import { duration } from '../common/format.ts'
import { Time } from '../common/parts.tsx'
import type { JobShown, JobState } from '../doors/jobs.ts'
import { isOver } from '../doors/jobs.ts'
import { useMessages } from '../language/index.tsx'
import { JOB_TONES, JobMark, seconds } from './parts.tsx'

const LOOKS = {
  ok: 's-ok',
  moving: 's-moving',
  degraded: 's-stalled',
  down: 's-failed',
  unknown: 's-waiting',
}
const look = (state: JobState) => LOOKS[JOB_TONES[state]]

/** The states that a job went through, as long as each took; the list below says the same in words. */
export function Course({ shown: { job, history } }: { shown: JobShown }) {
  const t = useMessages()
  const steps = history.map((event, i) => ({
    ...event,
    took: isOver(event.status) ? undefined : seconds(event.at, history[i + 1]?.at ?? job.endedAt),
  }))
  return (
    <Panel title={t.jobs.timeline}>
      <div className="strip thick" aria-hidden="true">
        {steps.map(({ took, status, at }, i) => (
          <i
            key={`${at} ${String(i)}`}
            className={look(status)}
            style={{ flexGrow: 1000 * Math.max(took ?? 0, 0.001) }}
          />
        ))}
      </div>
      <ol className="course">
        {steps.map(({ at, status, minor, application, source, took }, i) => (
          <li key={`${at} ${String(i)}`}>
            <Time at={at} />
            <JobMark state={status} />
            <span>
              {minor}
              {application !== 'Unknown' && application !== '' && ` · ${application}`}{' '}
              <span className="quiet">
                {t.jobs.by} {source}
                {took !== undefined && ` · ${duration(took)}`}
              </span>
            </span>
          </li>
        ))}
      </ol>
    </Panel>
  )
}
