import './jobs.css'
import { Link } from '@tanstack/react-router'
import { Mark, type Tone } from '../common/parts.tsx'
import type { JobState, Name } from '../doors/jobs.ts'
import { useMessages } from '../language/index.tsx'

export const JOB_TONES = {
  Submitting: 'unknown',
  Received: 'unknown',
  Checking: 'unknown',
  Scouting: 'unknown',
  Staging: 'unknown',
  Waiting: 'unknown',
  Held: 'unknown',
  Matched: 'moving',
  Rescheduled: 'unknown',
  Running: 'moving',
  Stalled: 'degraded',
  Completing: 'moving',
  Completed: 'moving',
  Done: 'ok',
  Failed: 'down',
  Killed: 'unknown',
  Deleted: 'unknown',
} as const satisfies Record<JobState, Tone>

export function JobMark({ state }: { state: JobState }) {
  const t = useMessages()
  return <Mark tone={JOB_TONES[state]}>{t.jobs.state[state]}</Mark>
}

export const seconds = (from: string | null, to: string | null): number | undefined =>
  from === null ? undefined : ((to === null ? Date.now() : Date.parse(to)) - Date.parse(from)) / 1000

/** Files or datasets as links to the data screens; the rest of a long list is a number. */
export function Names({ names, most = 10 }: { names: readonly Name[]; most?: number }) {
  const t = useMessages()
  return (
    <ul className="plainlist">
      {names.slice(0, most).map(({ scope, name }) => (
        <li key={`${scope}:${name}`}>
          <Link to="/data/$scope/$name" params={{ scope, name }} className="break">
            {scope}:{name}
          </Link>
        </li>
      ))}
      {names.length > most && <li className="quiet">{t.jobs.more(names.length - most)}</li>}
    </ul>
  )
}
