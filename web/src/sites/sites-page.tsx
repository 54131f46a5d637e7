import './sites.css'
import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { CopyCommand, Empty, Fill, Mark, Pending } from '../common/parts.tsx'
import { siteMatrixQuery } from '../doors/operations.ts'
import { outcomesQuery, type SiteWork, siteWorkQuery } from '../doors/sites.ts'
import { useMessages } from '../language/index.tsx'
import { OutcomeMatrix } from './outcome-matrix.tsx'
import { Place, StorageMark } from './parts.tsx'
import { StateMatrix } from './state-matrix.tsx'

const SPANS = ['24', '72', '168'] as const
const DAY_HOURS = 24
const WORST = { down: 0, degraded: 1, unknown: 2, ok: 3 }

export function SitesPage() {
  const t = useMessages()
  const { hours } = useSearch({ from: '/sites' })
  const span = SPANS.find((one) => one === hours) ?? '168'
  const states = useQuery(siteMatrixQuery(Number(span)))
  const outcomes = useQuery(outcomesQuery(DAY_HOURS))
  const sites = useQuery(siteWorkQuery)
  const none = outcomes.data?.sites.every((site) => site.outcomes.length === 0)
  return (
    <>
      <div className="head">
        <h1>{t.sites.title}</h1>
        <div className="act">
          <CopyCommand command="kumi site ls" />
        </div>
      </div>
      <div className="tabs">
        {SPANS.map((one) => (
          <Link
            key={one}
            to="/sites"
            search={one === '168' ? {} : { hours: one }}
            data-on={one === span}
            aria-current={one === span ? 'true' : undefined}
          >
            {t.sites.hours[one]}
          </Link>
        ))}
      </div>
      <section className="panel flush" aria-label={t.sites.stateMatrix}>
        <h2>{t.sites.stateMatrix}</h2>
        {states.data ? <StateMatrix matrix={states.data} /> : <Pending of={states} />}
      </section>
      <section className="panel flush" aria-label={t.sites.matrix}>
        <h2>{t.sites.matrix}</h2>
        {!outcomes.data ? (
          <Pending of={outcomes} />
        ) : none ? (
          <Empty>{t.sites.quietHours}</Empty>
        ) : (
          <OutcomeMatrix outcomes={outcomes.data} />
        )}
      </section>
      {!sites.data ? (
        <Pending of={sites} />
      ) : sites.data.length === 0 ? (
        <div className="panel">
          <Empty>{t.now.noSites}</Empty>
        </div>
      ) : (
        <div className="cards">
          {[...sites.data]
            .sort((a, b) => WORST[a.state] - WORST[b.state])
            .map((site) => (
              <Card key={site.name} site={site} />
            ))}
        </div>
      )}
    </>
  )
}

function Card({ site }: { site: SiteWork }) {
  const t = useMessages()
  const reasons: Record<string, string> = t.siteReason
  return (
    <section className="panel" aria-label={site.name}>
      <div className="row">
        <h2>
          <Link to="/sites/$name" params={{ name: site.name }}>
            {site.title}
          </Link>
        </h2>
        <Mark tone={site.state}>{t.state[site.state]}</Mark>
      </div>
      {site.reason && <div className="error">{reasons[site.reason] ?? site.reason}</div>}
      <div className="quiet">
        {site.name} · {site.country}
      </div>
      <Fill used={site.usedBytes} total={site.totalBytes} />
      <ul className="chips">
        {site.storage.map((storage) => (
          <li key={storage.name}>
            {storage.name} <StorageMark storage={storage} />
          </li>
        ))}
      </ul>
      {site.resources.map((resource) => (
        <Place key={resource.name} resource={resource} />
      ))}
      <div>
        <Link to="/jobs" search={{ site: site.name, status: 'Running' }}>
          {t.sites.jobsRunning(site.jobsRunning)}
        </Link>
      </div>
    </section>
  )
}
