import './sites.css'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Panel } from '../common/acting.tsx'
import { bytes, count } from '../common/format.ts'
import { CopyCommand, Empty, Fill, Mark, Pending, Time } from '../common/parts.tsx'
import { TablePanel } from '../common/table-panel.tsx'
import { outcomesQuery, type SiteDetails, type SitePilot, siteQuery } from '../doors/sites.ts'
import { useMessages } from '../language/index.tsx'
import { Downtimes } from './downtimes.tsx'
import { OutcomeMatrix } from './outcome-matrix.tsx'
import { Place, StorageMark } from './parts.tsx'
import { Tests } from './tests.tsx'

export function SitePage() {
  const t = useMessages()
  const { name } = useParams({ from: '/sites/$name' })
  const asked = useQuery(siteQuery(name))
  const outcomes = useQuery(outcomesQuery(24))
  if (!asked.data) return <Pending of={asked} />
  const { site } = asked.data
  const own = outcomes.data?.sites.filter((one) => one.site === name && one.outcomes.length > 0) ?? []
  const reasons: Record<string, string> = t.siteReason
  return (
    <>
      <div className="head">
        <h1>{site.title}</h1>
        <Mark tone={site.state}>{t.state[site.state]}</Mark>
        <span className="quiet">
          {site.name} · {site.country}
          {site.reason && ` · ${reasons[site.reason] ?? site.reason}`}
        </span>
        <div className="act">
          <CopyCommand command={`kumi site show ${site.name}`} />
        </div>
      </div>
      {outcomes.data && (
        <section className="panel flush" aria-label={t.sites.matrix}>
          <div className="row inset-head headrow">
            <h2>{t.sites.matrix}</h2>
            <Link to="/jobs" search={{ site: name }}>
              {t.sites.jobsHere}
            </Link>
          </div>
          {own.length === 0 ? (
            <Empty>{t.sites.quietHours}</Empty>
          ) : (
            <OutcomeMatrix outcomes={{ ...outcomes.data, sites: own }} />
          )}
        </section>
      )}
      <div className="halves">
        <div>
          <Gateways details={asked.data} />
          <Storages details={asked.data} />
        </div>
        <div>
          <Panel title={t.sites.computing}>
            {site.resources.length === 0 && <Empty>{t.sites.noComputing}</Empty>}
            {site.resources.map((resource) => (
              <div key={resource.name}>
                <Place resource={resource} />
                <div className="quiet">
                  {t.sites.offer}:{' '}
                  {t.sites.offered(
                    resource.cores,
                    bytes(resource.memoryMb * 1e6),
                    Math.round(resource.seconds / 3600),
                  )}
                </div>
              </div>
            ))}
          </Panel>
          <Downtimes site={site} />
          <Reasons details={asked.data} />
        </div>
      </div>
      <Tests site={site.name} />
      <Pilots pilots={asked.data.pilots} />
    </>
  )
}

function Gateways({ details: { gateways } }: { details: SiteDetails }) {
  const t = useMessages()
  return (
    <Panel title={t.sites.gateways}>
      {gateways.length === 0 && <Empty>{t.sites.noGateway}</Empty>}
      <ul className="sitelist">
        {gateways.map((gateway) => (
          <li key={gateway.name}>
            <div className="row">
              <b>{gateway.name}</b>
              <span className="quiet mono break">{gateway.endpoint}</span>
            </div>
            <div className="quiet">
              {t.sites.lastSeen}: {gateway.lastSeenAt ? <Time at={gateway.lastSeenAt} /> : t.sites.never}
              {gateway.version && ` · ${t.sites.version} ${gateway.version}`}
              {gateway.rssBytes !== null && ` · ${t.sites.memory} ${bytes(gateway.rssBytes)}`}
            </div>
            {gateway.areas.map((area) => (
              <div key={area.path} className="place">
                <div className="row">
                  <span className="mono">{area.path}</span>
                  <span className="quiet">{t.sites.files(area.files)}</span>
                </div>
                <Fill used={area.usedBytes} total={area.totalBytes} />
              </div>
            ))}
          </li>
        ))}
      </ul>
    </Panel>
  )
}

function Storages({ details: { site } }: { details: SiteDetails }) {
  const t = useMessages()
  return (
    <Panel title={t.sites.storage}>
      {site.storage.length === 0 && <Empty>{t.sites.noStorage}</Empty>}
      <ul className="sitelist">
        {site.storage.map((storage) => (
          <li key={storage.name}>
            <div className="row">
              <span>
                <b>{storage.name}</b> <span className="quiet">{storage.kind}</span>
              </span>
              <StorageMark storage={storage} />
            </div>
            {storage.faults.map(({ side, since, reason }) => (
              <div key={side}>
                {t.sites.fault[side]}{' '}
                <span className="quiet">
                  {t.now.since} <Time at={since} />
                </span>
                <div className="error">{reason}</div>
              </div>
            ))}
          </li>
        ))}
      </ul>
    </Panel>
  )
}

function Reasons({ details: { reasons } }: { details: SiteDetails }) {
  const t = useMessages()
  return (
    <Panel title={t.sites.reasons}>
      {reasons.length === 0 && <Empty>{t.sites.noReasons}</Empty>}
      <ul className="sitelist">
        {reasons.map(({ outcome, reason, count: times, last }) => (
          <li key={`${outcome} ${reason}`}>
            <div className="row">
              <Mark tone={outcome === 'failed' ? 'down' : 'degraded'}>{t.jobs.outcomes[outcome]}</Mark>
              <span className="quiet">
                {t.sites.times(times)} · {t.sites.last} <Time at={last} />
              </span>
            </div>
            <div className="break">{reason}</div>
          </li>
        ))}
      </ul>
    </Panel>
  )
}

const PILOT_TONES = {
  Submitted: 'unknown',
  Waiting: 'unknown',
  Running: 'moving',
  Done: 'ok',
  Failed: 'down',
  Aborted: 'down',
  Deleted: 'unknown',
  Unknown: 'unknown',
} as const

function Pilots({ pilots }: { pilots: readonly SitePilot[] }) {
  const t = useMessages()
  const columns = [
    { title: t.sites.pilot },
    { title: t.sites.state },
    { title: t.sites.jobs, num: true },
    { title: t.sites.created },
    { title: t.sites.reason },
  ]
  return (
    <TablePanel label={t.sites.newestPilots} columns={columns} empty={t.sites.noPilots}>
      {pilots.map((pilot) => (
        <tr key={pilot.stamp}>
          <td className="mono break">{pilot.stamp}</td>
          <td>
            <Mark tone={PILOT_TONES[pilot.state]}>{t.sites.pilotState[pilot.state]}</Mark>
          </td>
          <td className="num" data-label={t.sites.jobs}>
            {count(pilot.jobs)}
          </td>
          <td>
            <Time at={pilot.createdAt} />
          </td>
          <td className="break quiet">{pilot.reason}</td>
        </tr>
      ))}
    </TablePanel>
  )
}
