import './raw.css'
import { count } from '../common/format.ts'
import { Mark, type Tone } from '../common/parts.tsx'
import type { RawRun, RawState, RunState } from '../doors/raw.ts'
import { useMessages } from '../language/index.tsx'

const RUN_TONES = {
  open: 'moving',
  closed: 'moving',
  complete: 'ok',
  released: 'ok',
} as const satisfies Record<RunState, Tone>
export function RunMark({ state }: { state: RunState }) {
  const t = useMessages()
  return <Mark tone={RUN_TONES[state]}>{t.raw.runState[state]}</Mark>
}

const STATE_TONES = {
  recorded: 'unknown',
  landed: 'unknown',
  verified: 'moving',
  registered: 'moving',
  archived: 'moving',
  second_copy: 'ok',
  releasable: 'ok',
  released: 'ok',
} as const satisfies Record<RawState, Tone>
export function StateMark({ state }: { state: RawState }) {
  const t = useMessages()
  return <Mark tone={STATE_TONES[state]}>{t.raw.state[state]}</Mark>
}

/** Files of a run by how far they are: the darker, the further. */
export function RunStrip({ of: { states } }: { of: RawRun }) {
  const t = useMessages()
  const words = states
    .filter(({ files }) => files > 0)
    .map(({ state, files }) => `${t.raw.state[state]} ${count(files)}`)
  return (
    <div className="strip raw-strip" role="img" aria-label={words.join(', ')} title={words.join(', ')}>
      {states.map(({ state, files }) => (
        <i key={state} className={`raw-${state}`} style={{ flexGrow: files }} />
      ))}
    </div>
  )
}

/** The way of a file, with how many are at each place now. */
export function Way({
  states,
  below,
  link,
}: {
  states: readonly { state: RawState; files: number }[]
  /** What else is said of a state. */
  below?: (state: RawState) => React.ReactNode
  link?: (state: RawState, label: React.ReactNode) => React.ReactNode
}) {
  const t = useMessages()
  return (
    <ol className="way">
      {states.map(({ state, files }) => {
        const label = (
          <>
            <span className="name">{t.raw.state[state]}</span>
            <b>{count(files)}</b>
          </>
        )
        return (
          <li key={state} data-some={files > 0}>
            <i className={`raw-${state}`} aria-hidden="true" />
            {link ? link(state, label) : <div>{label}</div>}
            {below && <div className="quiet">{below(state)}</div>}
          </li>
        )
      })}
    </ol>
  )
}
