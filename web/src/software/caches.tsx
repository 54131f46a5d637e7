import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { count } from '../common/format.ts'
import { Fill, Mark, Pending } from '../common/parts.tsx'
import { TablePanel } from '../common/table-panel.tsx'
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
  const columns = [
    { title: t.software.site },
    { title: t.software.gateway },
    { title: t.software.fromCache },
    { title: t.software.keptThere },
    { title: t.software.evictions, num: true },
    { title: t.software.state },
  ]
  return (
    <TablePanel label={t.software.caches} columns={columns} empty={t.software.noCaches}>
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
    </TablePanel>
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
