import { count } from '../common/format.ts'
import type { StepLine } from '../doors/productions.ts'
import { useMessages } from '../language/index.tsx'
import { Progress, Rate } from './parts.tsx'

/** The headings of `StepCells`. */
export function StepHeadings() {
  const t = useMessages()
  const { transformationId, jobType, progress, done, failed, wait, noSub, failRate, failRateAll } =
    t.productions
  return (
    <>
      <th scope="col" className="num">
        {transformationId}
      </th>
      <th scope="col">{jobType}</th>
      <th scope="col">{progress}</th>
      {[done, failed, wait, noSub, failRate, failRateAll].map((label) => (
        <th key={label} scope="col" className="num">
          {label}
        </th>
      ))}
    </>
  )
}

/** What the table of transformations says of one. */
export function StepCells({ step }: { step: StepLine }) {
  const t = useMessages()
  const number = (label: string, value: number, tone = '') => (
    <td className={`num ${value === 0 ? 'zero' : tone}`} data-label={label}>
      {count(value)}
    </td>
  )
  return (
    <>
      <td className="num" data-label={t.productions.transformationId}>
        {step.id}
      </td>
      <td>
        {step.name} <span className="quiet">{t.productions.kind[step.kind]}</span>
      </td>
      <td className="wide">
        <Progress step={step} />
      </td>
      {number(t.productions.done, step.verified)}
      {number(t.productions.failed, step.failed, 'down')}
      {number(t.productions.wait, step.waiting)}
      {number(t.productions.noSub, step.notSubmitted)}
      <td className="num" data-label={t.productions.failRate}>
        <Rate of={step.failRate} />
      </td>
      <td className="num" data-label={t.productions.failRateAll}>
        <Rate of={step.jobFailRate} />
      </td>
    </>
  )
}
