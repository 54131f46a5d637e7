import { Link as To } from '@tanstack/react-router'
import { percent, rate } from '../common/format.ts'
import { Scroll } from '../common/parts.tsx'
import type { Link } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'

/** Source × destination: the number is the success, the colour its class, the second line what moves now. */
export function Matrix({ links }: { links: readonly Link[] }) {
  const t = useMessages()
  const sources = [...new Set(links.map((link) => link.source))].sort()
  const destinations = [...new Set(links.map((link) => link.destination))].sort()
  const at = new Map(links.map((link) => [`${link.source}>${link.destination}`, link]))
  return (
    <Scroll label={t.transfers.matrix}>
      <table className="matrix">
        <thead>
          <tr>
            <td className="quiet">
              {t.transfers.from} ↓ {t.transfers.to} →
            </td>
            {destinations.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sources.map((source) => (
            <tr key={source}>
              <th scope="row">{source}</th>
              {destinations.map((destination) => {
                const link = at.get(`${source}>${destination}`)
                return (
                  <td className="cell" key={destination}>
                    {link ? <Cell link={link} /> : <span className="none" aria-hidden="true" />}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

function Cell({ link }: { link: Link }) {
  const t = useMessages()
  const ended = link.done + link.failed
  const share = ended === 0 ? undefined : link.done / ended
  const tone = share === undefined ? '' : share >= 0.95 ? 'good' : share >= 0.7 ? 'some' : 'bad'
  return (
    <To
      className={tone}
      to="/transfers/$source/$destination"
      params={{ source: link.source, destination: link.destination }}
      title={t.transfers.cell(link.done, link.failed)}
    >
      <b>{share === undefined ? '–' : percent(share)}</b>
      <small>
        {link.active > 0
          ? `▸ ${rate(link.rateBytesPerSecond)}`
          : t.transfers.cell(link.done, link.failed).split(/[,、]/)[0]}
      </small>
    </To>
  )
}
