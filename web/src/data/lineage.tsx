import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Panel } from '../common/acting.tsx'
import { Pending, Time } from '../common/parts.tsx'
import { lineageQuery } from '../doors/jobs.ts'
import { Names } from '../jobs/parts.tsx'
import { useMessages } from '../language/index.tsx'

/** How a file came to be: production, job, inputs, each a step further back. */
export function Lineage({ scope, name }: { scope: string; name: string }) {
  const t = useMessages()
  const asked = useQuery(lineageQuery(scope, name))
  if (!asked.data) return asked.error ? <Pending of={asked} /> : null
  const { madeBy, production } = asked.data
  if (!madeBy) return null
  return (
    <Panel title={t.data.lineage.title}>
      <dl className="facts">
        {production && (
          <>
            <dt>{t.data.lineage.production}</dt>
            <dd>
              <Link className="in-text" to="/productions/$name" params={{ name: production.name }}>
                {production.name}
              </Link>{' '}
              <span className="quiet">
                {t.data.lineage.task(production.step, production.task)}
                {production.run !== null && ` · ${t.data.lineage.run(production.experiment, production.run)}`}
              </span>
            </dd>
            <dt>{t.productions.release}</dt>
            <dd>
              {production.release} · {production.conditions}
            </dd>
          </>
        )}
        <dt>{t.data.lineage.job}</dt>
        <dd>
          <Link className="in-text" to="/jobs/$id" params={{ id: String(madeBy.job) }}>
            {madeBy.job}
          </Link>{' '}
          <span className="quiet">
            {t.data.lineage.start(madeBy.attempt, madeBy.site)}
            {madeBy.endedAt && (
              <>
                {' · '}
                <Time at={madeBy.endedAt} />
              </>
            )}
          </span>
        </dd>
        <dt>{t.jobs.runs}</dt>
        <dd className="mono">{[madeBy.executable, ...madeBy.arguments].join(' ')}</dd>
        {madeBy.software && (
          <>
            <dt>{t.screens.software}</dt>
            <dd>{madeBy.software.release}</dd>
          </>
        )}
        {madeBy.inputs.length > 0 && (
          <>
            <dt>{t.jobs.inputs}</dt>
            <dd>
              <Names names={madeBy.inputs} />
            </dd>
          </>
        )}
      </dl>
    </Panel>
  )
}
