import './productions.css'
import { Mark, type Tone } from '../common/parts.tsx'
import type { Life, ProductionLine, StepLine } from '../doors/productions.ts'
import { useMessages } from '../language/index.tsx'

const LIFE_TONES = {
  defined: 'unknown',
  active: 'moving',
  finishing: 'moving',
  completed: 'ok',
  cancelled: 'unknown',
} as const satisfies Record<Life, Tone>

/** The three states of a production: its life, and of the others what keeps it from going on. */
export function States({ of }: { of: Pick<ProductionLine, 'life' | 'validation' | 'operation'> }) {
  const t = useMessages()
  return (
    <span className="prod-states">
      <Mark tone={LIFE_TONES[of.life]}>{t.productions.life[of.life]}</Mark>
      {of.validation !== 'accepted' && (
        <Mark tone={of.validation === 'rejected' ? 'down' : 'degraded'}>
          {t.productions.validation[of.validation]}
        </Mark>
      )}
      {of.operation !== 'normal' && (
        <Mark tone={of.operation === 'troubled' ? 'down' : 'degraded'}>
          {t.productions.operation[of.operation]}
        </Mark>
      )}
    </span>
  )
}

/** Tasks of a step: done, in hand, failed and not submitted, with the progress as a number. */
export function Progress({ step }: { step: StepLine }) {
  const parts = [
    ['s-ok', step.verified],
    ['s-moving', step.waiting],
    ['s-failed', step.failed],
    ['', step.notSubmitted],
  ] as const
  const part = step.progress > 0 && step.progress < 1
  return (
    <span className="prod-progress">
      <span className="strip" aria-hidden="true">
        {parts.map(([look, tasks]) => (
          <i key={look} className={look} style={{ flexGrow: tasks }} />
        ))}
      </span>
      <b>{(Math.floor(1000 * step.progress) / 10).toFixed(part ? 1 : 0)} %</b>
    </span>
  )
}

const BAD_RATE = 0.2
export const Rate = ({ of }: { of: number | null }) =>
  of === null ? (
    <span className="quiet">–</span>
  ) : (
    <span className={of > BAD_RATE ? 'down' : of > 0 ? 'degraded' : 'quiet'}>{(100 * of).toFixed(1)} %</span>
  )
