import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { count, utc } from '../common/format.ts'
import { Empty, Fold, Pending, Scroll } from '../common/parts.tsx'
import { type JobState, type JobTimeline, jobTimelineQuery, type TimelinePoint } from '../doors/jobs.ts'
import { useMessages } from '../language/index.tsx'

export const SPANS = ['2', '24', '168', '720'] as const
export type Span = (typeof SPANS)[number]

/** From the bottom of the picture to its top. */
const ALIVE = [
  'Running',
  'Completing',
  'Stalled',
  'Matched',
  'Waiting',
  'Held',
  'Received',
  'Checking',
  'Rescheduled',
] as const
const ENDED = ['Done', 'Failed', 'Killed'] as const
const WIDTH = 1000
const HOUR_MS = 3_600_000

/** How many jobs were in each state over time, and below it how many ended; the table says the same. */
export function Timeline({ span }: { span: Span }) {
  const t = useMessages()
  const asked = useQuery(jobTimelineQuery(Number(span)))
  return (
    <section className="panel" aria-label={t.jobs.over.title}>
      <div className="row headrow">
        <h2>{t.jobs.over.title}</h2>
        <div className="tabs flat">
          {SPANS.map((one) => (
            <Link
              key={one}
              to="/jobs"
              search={one === '24' ? {} : { span: one }}
              data-on={one === span}
              aria-current={one === span ? 'true' : undefined}
            >
              {t.jobs.over.hours[one]}
            </Link>
          ))}
        </div>
      </div>
      {!asked.data ? (
        <Pending of={asked} />
      ) : asked.data.points.length === 0 ? (
        <Empty>{t.jobs.over.none}</Empty>
      ) : (
        <Pictures timeline={asked.data} hours={Number(span)} />
      )}
    </section>
  )
}

function Pictures({ timeline: { points, seconds }, hours }: { timeline: JobTimeline; hours: number }) {
  const t = useMessages()
  const last = Date.parse(points.at(-1)!.at) + 1000 * seconds
  const frame = { from: last - hours * HOUR_MS, seconds, hours }
  const states = ALIVE.filter((state) => points.some(({ counts }) => counts[state]))
  const ends = ENDED.filter((state) => points.some(({ ended }) => ended[state]))
  return (
    <>
      <Stack
        label={t.jobs.over.alive}
        height={150}
        frame={frame}
        points={points}
        states={states}
        of={aliveOf}
      />
      {ends.length > 0 && (
        <Stack
          label={t.jobs.over.ended}
          height={60}
          frame={frame}
          points={points}
          states={ends}
          of={endedOf}
        />
      )}
      <div className="ticks quiet" aria-hidden="true">
        {[0, 1, 2, 3, 4].map((i) => (
          <span key={i}>{tick(frame.from + (i / 4) * hours * HOUR_MS, hours)}</span>
        ))}
      </div>
      <ul className="over-legend">
        {[...states, ...ends].map((state) => (
          <li key={state}>
            <i className={`swatch over-${state}`} aria-hidden="true" />
            {t.jobs.state[state]}
          </li>
        ))}
      </ul>
      <Twin points={points} columns={[...states, ...ends]} />
    </>
  )
}

const aliveOf = ({ counts }: TimelinePoint, state: JobState) => counts[state] ?? 0
const endedOf = ({ ended }: TimelinePoint, state: JobState) =>
  ended[state as keyof TimelinePoint['ended']] ?? 0
const tick = (at: number, hours: number) => {
  const text = utc(new Date(at).toISOString())
  return hours <= 24 ? text.slice(11, 16) : text.slice(5, 10)
}

interface Frame {
  readonly from: number
  readonly seconds: number
  readonly hours: number
}

/** Columns of stacked parts; an interval in which nobody counted stays empty. */
function Stack<S extends JobState>(props: {
  label: string
  height: number
  frame: Frame
  points: readonly TimelinePoint[]
  states: readonly S[]
  of: (point: TimelinePoint, state: JobState) => number
}) {
  const { label, height, frame, points, states, of } = props
  const t = useMessages()
  const most = Math.max(1, ...points.map((point) => states.reduce((sum, state) => sum + of(point, state), 0)))
  const unit = WIDTH / ((frame.hours * 3600) / frame.seconds)
  const paths = new Map<S, string[]>(states.map((state) => [state, []]))
  for (const point of points) {
    const x = ((Date.parse(point.at) - frame.from) / HOUR_MS / frame.hours) * WIDTH
    let below = 0
    for (const state of states) {
      const n = of(point, state)
      if (n > 0) {
        const [top, bottom] = [below + n, below].map((value) => (height * (1 - value / most)).toFixed(2))
        paths.get(state)!.push(`M${x.toFixed(2)} ${bottom}V${top}h${unit.toFixed(2)}V${bottom}Z`)
      }
      below += n
    }
  }
  return (
    <figure className="pile">
      <figcaption className="quiet">
        {label} <span>{t.jobs.over.most(most)}</span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${height}`}
        height={height}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}: ${states.map((state) => `${t.jobs.state[state]} ${count(of(points.at(-1)!, state))}`).join(', ')}`}
      >
        {states.map((state) => (
          <path key={state} className={`over-${state}`} d={paths.get(state)!.join('')} />
        ))}
      </svg>
    </figure>
  )
}

function Twin({ points, columns }: { points: readonly TimelinePoint[]; columns: readonly JobState[] }) {
  const t = useMessages()
  const ended: readonly string[] = ENDED
  return (
    <Fold summary={t.jobs.over.table}>
      {() => (
        <Scroll label={t.jobs.over.title}>
          <table className="matrix twin">
            <thead>
              <tr>
                <th scope="col">{t.jobs.over.time}</th>
                {columns.map((state) => (
                  <th key={state} scope="col" className="num">
                    {t.jobs.state[state]}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {[...points].reverse().map((point) => (
                <tr key={point.at}>
                  <th scope="row">{utc(point.at).slice(0, 16)}</th>
                  {columns.map((state) => (
                    <td key={state} className="num">
                      {count(ended.includes(state) ? endedOf(point, state) : aliveOf(point, state))}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Fold>
  )
}
