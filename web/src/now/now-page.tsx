import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { bytes, count, percent, rate } from '../common/format.ts'
import { Empty, Fill, Mark, Pending, Scroll, useFirst } from '../common/parts.tsx'
import { type Now, nowQuery } from '../doors/kumi.ts'
import { cardsQuery } from '../doors/operations.ts'
import { useMessages } from '../language/index.tsx'
import { NowTabs } from '../shift/now-tabs.tsx'
import { Attention } from './attention.tsx'

// The world's outline is the heaviest part of the page: words and numbers come first.
const WorldMap = lazy(() => import('./world-map.tsx').then((module) => ({ default: module.WorldMap })))

export function NowPage() {
  const asked = useQuery(nowQuery)
  const cards = useQuery(cardsQuery())
  if (!asked.data) return <Pending of={asked} />
  const { attention, totals, sites, flows } = asked.data
  return (
    <>
      <NowTabs on="now" />
      <Attention items={attention} cards={cards.data ?? []} />
      <Tiles totals={totals} flows={flows} />
      <div className="two">
        <div className="panel flush">
          <Suspense fallback={<svg className="map" viewBox="0 0 960 440" aria-hidden="true" />}>
            <WorldMap sites={sites} flows={flows} />
          </Suspense>
          <Flows flows={flows} />
        </div>
        <Sites sites={sites} />
      </div>
    </>
  )
}

function Tiles({ totals, flows }: Pick<Now, 'totals' | 'flows'>) {
  const t = useMessages()
  const rules = totals.rulesOk + totals.rulesWorking + totals.rulesStuck
  const speed = flows.reduce((sum, flow) => sum + flow.rateBytesPerSecond, 0)
  return (
    <div className="tiles">
      <Link className="tile" to="/data" search={{}}>
        <span>{t.now.files}</span>
        <b>{count(totals.files)}</b>
        <span>{t.now.datasets(totals.datasets)}</span>
      </Link>
      <Link className="tile" to="/data" search={{}}>
        <span>{t.now.bytes}</span>
        <b>{bytes(totals.bytes)}</b>
        <span>{t.now.copies(bytes(totals.copyBytes))}</span>
      </Link>
      <Link className="tile" to="/data" search={{}}>
        <span>{t.now.safe}</span>
        <b>{totals.files ? percent(totals.safeFiles / totals.files) : '–'}</b>
        <span>{t.now.safeHint}</span>
      </Link>
      <Link className="tile" to="/rules" search={{}}>
        <span>{t.now.rules}</span>
        <b>
          {count(totals.rulesOk)} / {count(rules)}
        </b>
        <span>
          {t.rules.state.STUCK}: {count(totals.rulesStuck)}
        </span>
      </Link>
      <Link className="tile" to="/transfers" search={{}}>
        <span>{t.now.moving}</span>
        <b>{totals.transfersActive > 0 ? rate(speed) : '0'}</b>
        <span>
          {t.now.active(totals.transfersActive)} · {t.now.queued(totals.transfersQueued)}
        </span>
      </Link>
    </div>
  )
}

function Flows({ flows }: Pick<Now, 'flows'>) {
  const t = useMessages()
  return (
    <>
      <h2 style={{ padding: '14px 16px 0' }}>{t.now.flows}</h2>
      {flows.length === 0 ? (
        <Empty>{t.now.noFlows}</Empty>
      ) : (
        <Scroll label={t.now.flows}>
          <table>
            <tbody>
              {flows.map((flow) => (
                <tr key={`${flow.source}>${flow.destination}`}>
                  <td>
                    <Link
                      to="/transfers/$source/$destination"
                      params={{ source: flow.source, destination: flow.destination }}
                    >
                      {flow.source} → {flow.destination}
                    </Link>
                  </td>
                  <td>
                    {flow.failed > flow.done ? (
                      <Mark tone="down">{t.now.failing}</Mark>
                    ) : flow.active > 0 ? (
                      <Mark tone="moving">{t.now.active(flow.active)}</Mark>
                    ) : (
                      <Mark tone="degraded">{t.transfers.cell(flow.done, flow.failed)}</Mark>
                    )}
                  </td>
                  <td className="num">{flow.active > 0 ? rate(flow.rateBytesPerSecond) : '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </>
  )
}

/** As many as there is place for beside the map. */
const SITES_SHOWN = 8

/** Those that are not well come first. */
function Sites({ sites }: Pick<Now, 'sites'>) {
  const t = useMessages()
  const { shown, rest } = useFirst(
    [...sites].sort((a, b) => Number(a.state === 'ok') - Number(b.state === 'ok')),
    SITES_SHOWN,
  )
  return (
    <section className="panel">
      <h2>{t.now.sites}</h2>
      {sites.length === 0 && <Empty>{t.now.noSites}</Empty>}
      <ul className="sitelist">
        {shown.map((site) => (
          <li key={site.name}>
            <div className="row">
              <Link to="/sites/$name" params={{ name: site.name }}>
                <b>{site.title}</b>
              </Link>
              <Mark tone={site.state}>{t.state[site.state]}</Mark>
            </div>
            <div className="quiet">
              {site.name} · {site.country} · {site.storages.join(', ') || '–'}
            </div>
            <Fill used={site.usedBytes} total={site.totalBytes} />
          </li>
        ))}
      </ul>
      {rest}
    </section>
  )
}
