import { Link } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { count } from '../common/format.ts'
import { Scroll } from '../common/parts.tsx'
import type { Ends, Outcomes } from '../doors/sites.ts'
import { useMessages } from '../language/index.tsx'

const SOME = 0.05
const BAD = 0.3
const HALF = 0.5
type Look = 'good' | 'some' | 'bad' | 'failed'

/** A site is judged by what it spoilt; what jobs did to themselves is shown, but not held against it. */
function lookOf({ done, failed, spoilt }: Ends): Look {
  const all = done + failed + spoilt
  if (all === 0) return 'good'
  if (spoilt / all >= BAD) return 'bad'
  if (spoilt / all >= SOME) return 'some'
  return failed / all >= HALF ? 'failed' : 'good'
}
const SIGNS: Record<Look, string> = { good: '', some: '▲', bad: '■', failed: '×' }

const hourOf = (at: string) => at.slice(11, 13)
const dayOf = (at: string) => at.slice(5, 10)

/** Site × hour: the number is how many starts ended, the sign and the colour how. */
export function OutcomeMatrix({ outcomes: { hours, sites } }: { outcomes: Outcomes }) {
  const t = useMessages()
  const table = useRef<HTMLTableElement>(null)
  // Where not all hours fit, the newest are shown first.
  useEffect(() => {
    const frame = table.current?.parentElement
    if (frame) frame.scrollLeft = frame.scrollWidth
  }, [])
  return (
    <>
      <Scroll label={t.sites.matrix}>
        <table className="matrix hours" ref={table}>
          <thead>
            <tr>
              <td />
              {hours.map((at, i) => (
                <th key={at} scope="col">
                  {(i === 0 || hourOf(at) === '00') && <small>{dayOf(at)}</small>}
                  {hourOf(at)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sites.map(({ site, outcomes }) => {
              const known = new Map(outcomes.map((one) => [Date.parse(one.at), one]))
              return (
                <tr key={site}>
                  <th scope="row">
                    <Link to="/sites/$name" params={{ name: site }}>
                      {site}
                    </Link>
                  </th>
                  {hours.map((at) => (
                    <Cell key={at} ends={known.get(Date.parse(at))} at={at} />
                  ))}
                </tr>
              )
            })}
          </tbody>
        </table>
      </Scroll>
      <ul className="legend">
        {(['good', 'some', 'bad', 'failed'] as const).map((look) => (
          <li key={look}>
            <i className={look} aria-hidden="true">
              {SIGNS[look]}
            </i>
            {t.sites.legend[look]}
          </li>
        ))}
      </ul>
    </>
  )
}

function Cell({ ends, at }: { ends: Ends | undefined; at: string }) {
  const t = useMessages()
  if (!ends) return <td />
  const look = lookOf(ends)
  const label = t.sites.cell(`${dayOf(at)} ${hourOf(at)}:00`, ends)
  const { done, failed, spoilt, other } = ends
  return (
    <td className={look} title={label}>
      <span aria-hidden="true">
        {short(done + failed + spoilt + other)}
        {SIGNS[look] && <sup>{SIGNS[look]}</sup>}
      </span>
      <span className="unseen">{label}</span>
    </td>
  )
}

const short = (n: number): string =>
  n < 1000 ? count(n) : n < 9950 ? `${(n / 1000).toFixed(1)}k` : `${Math.round(n / 1000)}k`
