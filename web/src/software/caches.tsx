import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { count } from '../common/format.ts'
import { Empty, Fill, Mark, Pending, Scroll } from '../common/parts.tsx'
import { type GatewaySoftware, softwareStateQuery } from '../doors/software.ts'
import { useMessages } from '../language/index.tsx'

/** Which part of what clients asked for a cache had. */
export function Share({ of: { hits, misses } }: { of: Pick<GatewaySoftware, 'hits' | 'misses'> }) {
  const t = useMessages()
  const all = hits + misses
  if (all === 0) return <span className="quiet">{t.software.notAsked}</span>
  return <>{t.software.share(Math.round((100 * hits) / all), all)}</>
}

/** What gateways keep of all repositories. */
export function Caches() {
  const t = useMessages()
  const asked = useQuery(softwareStateQuery)
  if (!asked.data) return <Pending of={asked} />
  const { gateways } = asked.data
  return (
    <section className="panel flush" aria-label={t.software.caches}>
      <div className="row headrow inset-head">
        <h2>{t.software.caches}</h2>
      </div>
      {gateways.length === 0 ? (
        <Empty>{t.software.noCaches}</Empty>
      ) : (
        <Scroll label={t.software.caches}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.software.site}</th>
                <th scope="col">{t.software.gateway}</th>
                <th scope="col">{t.software.fromCache}</th>
                <th scope="col">{t.software.keptThere}</th>
                <th scope="col" className="num">
                  {t.software.evictions}
                </th>
                <th scope="col">{t.software.state}</th>
              </tr>
            </thead>
            <tbody>
              {gateways.map((one) => (
                <tr key={one.gateway}>
                  <td>
                    <Link to="/sites/$name" params={{ name: one.site }}>
                      {one.site}
                    </Link>
                  </td>
                  <td className="break">{one.gateway}</td>
                  <td>
                    <Share of={one} />
                  </td>
                  <td>
                    <Fill used={one.bytes} total={one.mostBytes} />
                  </td>
                  <td className="num" data-label={t.software.evictions}>
                    {count(one.evictions)}
                  </td>
                  <td>
                    <StateOf gateway={one} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  )
}

function StateOf({ gateway: { alive, repositories } }: { gateway: GatewaySoftware }) {
  const t = useMessages()
  if (!alive) return <Mark tone="unknown">{t.software.silent}</Mark>
  const late = repositories.filter(({ behind }) => behind > 0)
  if (late.length > 0)
    return (
      <Mark tone="degraded">
        {late.map((one) => `${one.name}: ${t.software.behind(one.behind)}`).join(', ')}
      </Mark>
    )
  if (repositories.length === 0) return <span className="quiet">{t.software.notAsked}</span>
  return <Mark tone="ok">{t.software.upToDate(repositories.length)}</Mark>
}
