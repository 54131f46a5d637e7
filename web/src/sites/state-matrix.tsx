import { Link } from '@tanstack/react-router'
import { type PointerEvent, useState } from 'react'
import { utc } from '../common/format.ts'
import { Fold, Mark, Scroll, shapeOf, type Tone } from '../common/parts.tsx'
import type { SiteState } from '../doors/kumi.ts'
import type { HourOfSite, SiteMatrix } from '../doors/operations.ts'
import { useMessages } from '../language/index.tsx'

const HEIGHT = 24
/** A state is a colour and a form; a site that is well shows the least. */
const FORMS: Record<SiteState, (x: number) => string> = {
  ok: (x) => `M${x} 6h1v14h-1Z`,
  degraded: (x) => `M${x} 20L${x + 0.5} 4L${x + 1} 20Z`,
  down: (x) => `M${x} 4h1v16h-1Z`,
  unknown: (x) => `M${x} 12L${x + 0.5} 4L${x + 1} 12L${x + 0.5} 20Z`,
}
const STATES = ['ok', 'degraded', 'down', 'unknown'] as const

/** Site × hour: the form is the state, the bar below a downtime, the one above an exclusion; the list says the same in words. */
export function StateMatrix({ matrix: { hours, sites } }: { matrix: SiteMatrix }) {
  const t = useMessages()
  const [at, setAt] = useState<{ title: string; cell: HourOfSite }>()
  return (
    <div className="statematrix">
      <div className="rows" aria-hidden="true">
        {sites.map(({ site, title, state, cells }) => {
          const point = (event: PointerEvent<SVGSVGElement>) => {
            const { left, width } = event.currentTarget.getBoundingClientRect()
            const cell = cells[Math.floor(((event.clientX - left) / width) * cells.length)]
            if (cell) setAt({ title, cell })
          }
          return (
            <div className="line" key={site}>
              <Link to="/sites/$name" params={{ name: site }} tabIndex={-1}>
                <svg
                  className={state}
                  width="10"
                  height="10"
                  viewBox="-6.500 -6.500 13 13"
                  fill="currentColor"
                  aria-hidden="true"
                >
                  {shapeOf(state as Tone)}
                </svg>{' '}
                {title}
              </Link>
              <svg
                className="hours"
                aria-hidden="true"
                viewBox={`0 0 ${cells.length} ${HEIGHT}`}
                preserveAspectRatio="none"
                onPointerMove={point}
                onPointerLeave={() => setAt(undefined)}
              >
                {STATES.map((one) => (
                  <path
                    key={one}
                    className={`cell-${one}`}
                    d={cells.map((cell, i) => (cell.state === one ? FORMS[one](i) : '')).join('')}
                  />
                ))}
                <path className="away" d={bars(cells, ({ downtime }) => downtime !== null, HEIGHT - 3)} />
                <path className="shut" d={bars(cells, ({ excluded }) => excluded, 0)} />
              </svg>
            </div>
          )
        })}
        <Days hours={hours} />
      </div>
      <p className="quiet pointed" aria-hidden="true">
        {at ? `${at.title} · ${wordsOf(at.cell, t)}` : t.sites.point}
      </p>
      <ul className="matrix-legend">
        {STATES.map((state) => (
          <li key={state}>
            <Mark tone={state}>{t.state[state]}</Mark>
          </li>
        ))}
        <li>
          <i className="away" aria-hidden="true" /> {t.sites.downtime}
        </li>
        <li>
          <i className="shut" aria-hidden="true" /> {t.sites.excluded}
        </li>
      </ul>
      <Twin sites={sites} />
    </div>
  )
}

const bars = (cells: readonly HourOfSite[], has: (cell: HourOfSite) => boolean, y: number) =>
  cells.map((cell, i) => (has(cell) ? `M${i} ${y}h1v3h-1Z` : '')).join('')

function wordsOf(
  { at, state, n, failed, downtime, excluded }: HourOfSite,
  t: ReturnType<typeof useMessages>,
) {
  return [
    utc(at).slice(0, 16),
    state === null ? t.sites.nobodyLooked : t.state[state],
    n > 0 && t.sites.ends(n, failed),
    downtime && t.sites.severity[downtime],
    excluded && t.sites.excluded,
  ]
    .filter(Boolean)
    .join(' · ')
}

function Days({ hours }: { hours: readonly string[] }) {
  const starts = hours.map((at, i) => ({ at, i })).filter(({ at, i }) => i === 0 || at.slice(11, 13) === '00')
  return (
    <div className="line days">
      <span />
      <span className="ticks">
        {starts.map(({ at, i }) => (
          <small key={at} style={{ left: `${(100 * i) / hours.length}%` }}>
            {utc(at).slice(5, 10)}
          </small>
        ))}
      </span>
    </div>
  )
}

interface Spell {
  readonly from: HourOfSite
  readonly hours: number
  readonly n: number
  readonly failed: number
}
const same = (a: HourOfSite, b: HourOfSite) =>
  a.state === b.state && a.downtime === b.downtime && a.excluded === b.excluded

/** Hours that follow each other and are alike are one line. */
function spells(cells: readonly HourOfSite[]): Spell[] {
  const found: Spell[] = []
  for (const cell of cells) {
    const last = found.at(-1)
    if (last && same(last.from, cell))
      found[found.length - 1] = {
        ...last,
        hours: last.hours + 1,
        n: last.n + cell.n,
        failed: last.failed + cell.failed,
      }
    else found.push({ from: cell, hours: 1, n: cell.n, failed: cell.failed })
  }
  return found
}

function Twin({ sites }: Pick<SiteMatrix, 'sites'>) {
  const t = useMessages()
  return (
    <Fold summary={t.sites.asTable}>
      {() => (
        <Scroll label={t.sites.stateMatrix}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.sites.site}</th>
                <th scope="col">{t.sites.from}</th>
                <th scope="col" className="num">
                  {t.sites.hoursLong}
                </th>
                <th scope="col">{t.sites.state}</th>
                <th scope="col">{t.sites.jobs}</th>
                <th scope="col">{t.sites.downtimes}</th>
              </tr>
            </thead>
            <tbody>
              {sites.flatMap(({ site, cells }) =>
                spells(cells)
                  .reverse()
                  .map(({ from, hours, n, failed }) => (
                    <tr key={`${site} ${from.at}`}>
                      <td>
                        <Link to="/sites/$name" params={{ name: site }}>
                          {site}
                        </Link>
                      </td>
                      <td>{utc(from.at).slice(0, 16)}</td>
                      <td className="num">{hours}</td>
                      <td>
                        {from.state === null ? (
                          <span className="quiet">{t.sites.nobodyLooked}</span>
                        ) : (
                          <Mark tone={from.state}>{t.state[from.state]}</Mark>
                        )}
                      </td>
                      <td>{n > 0 ? t.sites.ends(n, failed) : ''}</td>
                      <td>
                        {[from.downtime && t.sites.severity[from.downtime], from.excluded && t.sites.excluded]
                          .filter(Boolean)
                          .join(' · ')}
                      </td>
                    </tr>
                  )),
              )}
            </tbody>
          </table>
        </Scroll>
      )}
    </Fold>
  )
}
