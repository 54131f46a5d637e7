import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { count, duration } from '../common/format.ts'
import { CopyCommand, Empty, Pending, Scroll, Time } from '../common/parts.tsx'
import { isAtWork, type ProductionLine, productionsQuery, tookSeconds } from '../doors/productions.ts'
import { useMessages } from '../language/index.tsx'
import { States } from './parts.tsx'
import { StepCells, StepHeadings } from './transformations.tsx'

export function ProductionsPage() {
  const t = useMessages()
  const all = useSearch({ from: '/productions' }).show === 'all'
  const asked = useQuery(productionsQuery)
  const productions = asked.data ?? []
  const atWork = productions.filter(({ life }) => isAtWork(life))
  // Where nothing is at work, what was done is of more use than an empty table.
  const everything = all || atWork.length === 0
  const shown = everything ? productions : atWork
  return (
    <>
      <div className="head">
        <h1>{t.productions.title}</h1>
        <div className="act">
          <CopyCommand command="kumi prod ls" />
        </div>
      </div>
      {productions.length > 0 && (
        <div className="tabs">
          <Link
            to="/productions"
            search={{}}
            data-on={!everything}
            aria-current={everything ? undefined : 'true'}
          >
            {t.productions.atWork} {count(atWork.length)}
          </Link>
          <Link
            to="/productions"
            search={{ show: 'all' }}
            data-on={everything}
            aria-current={everything ? 'true' : undefined}
          >
            {t.productions.all} {count(productions.length)}
          </Link>
        </div>
      )}
      <div className="panel flush">
        {!asked.data ? (
          <Pending of={asked} />
        ) : shown.length === 0 ? (
          <Empty>{t.productions.none}</Empty>
        ) : (
          <Scroll label={t.productions.table}>
            <table className="prods">
              <thead>
                <tr>
                  <th scope="col" className="num">
                    {t.productions.productionId}
                  </th>
                  <StepHeadings />
                  <th scope="col" className="num">
                    {t.productions.duration}
                  </th>
                  <th scope="col">{t.productions.created}</th>
                </tr>
              </thead>
              {shown.map((production) => (
                <tbody key={production.id}>
                  <Heading of={production} />
                  {production.steps.map((step) => (
                    <tr key={step.id}>
                      <td className="num quiet again" data-label={t.productions.productionId}>
                        {production.id}
                      </td>
                      <StepCells step={step} />
                      <td colSpan={2} />
                    </tr>
                  ))}
                </tbody>
              ))}
            </table>
          </Scroll>
        )}
      </div>
    </>
  )
}

/** What all transformations of a production have in common. */
function Heading({ of }: { of: ProductionLine }) {
  const t = useMessages()
  const took = tookSeconds(of)
  const about = [of.description, of.campaign, of.release, of.conditions, of.energy].filter(Boolean)
  return (
    <tr className="group">
      <td className="num" data-label={t.productions.productionId}>
        {of.id}
      </td>
      <th scope="rowgroup" colSpan={9}>
        <div className="row">
          <Link to="/productions/$name" params={{ name: of.name }}>
            {of.name}
          </Link>
          <States of={of} />
          <span>{t.productions.events(of.eventsVerified, of.eventsWanted)}</span>
          {of.secondsLeft !== null && of.secondsLeft > 0 && (
            <span className="quiet">{t.productions.left(duration(of.secondsLeft))}</span>
          )}
        </div>
        {about.length > 0 && (
          <div className="quiet">
            <span className="unseen">{t.productions.description}: </span>
            {about.join(' · ')}
          </div>
        )}
        {of.reason && <div className={of.operation === 'troubled' ? 'error' : 'quiet'}>{of.reason}</div>}
      </th>
      <td className="num" data-label={t.productions.duration}>
        {took === null ? '' : duration(took)}
      </td>
      <td data-label={t.productions.created}>
        <Time at={of.createdAt} day />
      </td>
    </tr>
  )
}
