import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Panel } from '../common/acting.tsx'
import { duration, percent } from '../common/format.ts'
import { CopyCommand, Empty, Pending, Scroll, Time } from '../common/parts.tsx'
import { isAtWork, type ProductionShown, productionQuery, tookSeconds } from '../doors/productions.ts'
import { useMessages } from '../language/index.tsx'
import { Orders } from './orders.tsx'
import { States } from './parts.tsx'
import { Tasks } from './tasks.tsx'
import { StepCells, StepHeadings } from './transformations.tsx'

export function ProductionPage() {
  const t = useMessages()
  const { name } = useParams({ from: '/productions/$name' })
  const asked = useQuery(productionQuery(name))
  if (!asked.data) return <Pending of={asked} />
  const shown = asked.data
  const left = shown.secondsLeft
  return (
    <>
      <div className="head">
        <h1>{shown.name}</h1>
        <States of={shown} />
        <span>{t.productions.events(shown.eventsVerified, shown.eventsWanted)}</span>
        {left !== null && left > 0 && (
          <span className="quiet">
            {t.productions.left(duration(left))} ({t.productions.atPace})
          </span>
        )}
        <div className="act">
          <CopyCommand command={`kumi prod show ${shown.name}`} />
        </div>
      </div>
      <Orders of={shown} />
      {shown.reason && (
        <ul className="attention">
          <li className={shown.operation === 'troubled' ? '' : 'degraded-edge'}>{shown.reason}</li>
        </ul>
      )}
      <Steps of={shown} />
      <Tasks of={shown} />
      <div className="halves">
        <Facts of={shown} />
        <Panel title={t.productions.source}>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable without a mouse */}
          <pre className="definition" tabIndex={0}>
            {shown.source}
          </pre>
        </Panel>
      </div>
    </>
  )
}

function Steps({ of: { steps, life, scouted } }: { of: ProductionShown }) {
  const t = useMessages()
  return (
    <section className="panel flush" aria-label={t.productions.table}>
      {isAtWork(life) && !scouted && <Empty>{t.productions.scouting}</Empty>}
      <Scroll label={t.productions.table}>
        <table className="prods">
          <thead>
            <tr>
              <StepHeadings />
              <th scope="col" className="num">
                {t.productions.inputs}
              </th>
              <th scope="col" className="num">
                {t.productions.timeLeft}
              </th>
              <th scope="col">{t.productions.dataset}</th>
            </tr>
          </thead>
          <tbody>
            {steps.map((step) => {
              const at = step.dataset.indexOf(':')
              const files = step.blocks.reduce((sum, block) => sum + block.files, 0)
              return (
                <tr key={step.id}>
                  <StepCells step={step} />
                  <td className="num" data-label={t.productions.inputs}>
                    {step.kind === 'generate' ? '' : t.productions.taken(step.inputsTaken, step.inputs)}
                  </td>
                  <td className="num" data-label={t.productions.timeLeft}>
                    {step.secondsLeft ? duration(step.secondsLeft) : ''}
                  </td>
                  <td className="wide break">
                    <Link
                      to="/data/$scope/$name"
                      params={{ scope: step.dataset.slice(0, at), name: step.dataset.slice(at + 1) }}
                    >
                      {step.dataset}
                    </Link>
                    <div className="quiet">
                      {t.productions.events(step.eventsVerified, null)} ·{' '}
                      {t.productions.blocks(step.blocks.length, files)}
                    </div>
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </Scroll>
    </section>
  )
}

function Facts({ of }: { of: ProductionShown }) {
  const t = useMessages()
  const took = tookSeconds(of)
  const shares = of.destinations.reduce((sum, { share }) => sum + share, 0)
  const facts: [string, string][] = [
    [t.productions.productionId, String(of.id)],
    [t.productions.description, of.description],
    [t.productions.owner, `${of.owner} ${of.group}`],
    [t.productions.release, of.release],
    [t.productions.conditions, of.conditions],
    [t.productions.campaign, of.campaign],
    [t.productions.energy, of.energy],
    [t.productions.checkedBy, of.checkedBy ?? ''],
    [t.productions.duration, took === null ? '' : duration(took)],
  ]
  return (
    <Panel title={t.productions.facts}>
      <dl className="facts">
        <dt>{t.productions.tasksTitle}</dt>
        <dd>{t.productions.tasks(of.verified, of.tasks)}</dd>
        {facts
          .filter(([, value]) => value !== '')
          .map(([name, value]) => (
            <Fact key={name} name={name} value={value} />
          ))}
        <dt>{t.productions.created}</dt>
        <dd>
          <Time at={of.createdAt} />
        </dd>
        <dt>{t.productions.destinations}</dt>
        <dd>
          {of.destinations.map(({ storages, share, copies }) => (
            <div key={storages}>
              <span className="mono">{storages}</span>{' '}
              <span className="quiet">{t.productions.copies(percent(share / shares), copies)}</span>
            </div>
          ))}
        </dd>
      </dl>
    </Panel>
  )
}

const Fact = ({ name, value }: { name: string; value: string }) => (
  <>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </>
)
