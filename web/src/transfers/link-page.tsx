import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { bytes, percent, rate } from '../common/format.ts'
import { Pending, Time } from '../common/parts.tsx'
import { matrixQuery, type TransferList, transfersQuery } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'
import { TransferTable } from './transfer-table.tsx'

export function LinkPage() {
  const t = useMessages()
  const { source, destination } = useParams({ from: '/transfers/$source/$destination' })
  const asked = useQuery(matrixQuery)
  if (!asked.data) return <Pending of={asked} />
  const link = asked.data.find((one) => one.source === source && one.destination === destination)
  return (
    <>
      <h1>
        {source} → {destination}
      </h1>
      {link ? (
        <div className="halves">
          <section className="panel">
            <dl className="facts">
              <dt>{t.transfers.success}</dt>
              <dd>
                {link.done + link.failed > 0 ? `${percent(link.done / (link.done + link.failed))} · ` : ''}
                {t.transfers.cell(link.done, link.failed)}
              </dd>
              <dt>{t.transfers.rate}</dt>
              <dd>{link.active > 0 ? rate(link.rateBytesPerSecond) : '–'}</dd>
              <dt>{t.transfers.atOnce}</dt>
              <dd>
                {link.active} / {link.maxActive ?? '–'}
              </dd>
              <dt>{t.transfers.moved}</dt>
              <dd>{bytes(link.bytes)}</dd>
              {link.blockedUntil && (
                <>
                  <dt>{t.transfers.blocked}</dt>
                  <dd>
                    <Time at={link.blockedUntil} />
                    {link.blockedReason && <div className="error">{link.blockedReason}</div>}
                  </dd>
                </>
              )}
            </dl>
          </section>
          <section className="panel">
            <h2>{t.transfers.rationale}</h2>
            <p style={{ marginTop: 0 }}>
              {link.rationale || <span className="quiet">{t.transfers.noRationale}</span>}
            </p>
            {link.lastError && (
              <>
                <h2>{t.transfers.lastError}</h2>
                <span className="error">{link.lastError}</span>
              </>
            )}
          </section>
        </div>
      ) : (
        <p className="quiet">{t.transfers.noLinks}</p>
      )}
      {(['active', 'failed', 'done'] as const).map((list) => (
        <Listed key={list} list={list} source={source} destination={destination} />
      ))}
    </>
  )
}

function Listed({ list, source, destination }: { list: TransferList; source: string; destination: string }) {
  const t = useMessages()
  const { data } = useQuery(transfersQuery(list, source, destination))
  if (!data || data.length === 0) return null
  return (
    <section className="panel flush">
      <h2>{t.transfers.lists[list]}</h2>
      <TransferTable transfers={data} label={t.transfers.lists[list]} ofLink />
    </section>
  )
}
