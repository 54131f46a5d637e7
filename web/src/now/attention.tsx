import { Link } from '@tanstack/react-router'
import { CardList } from '../cards/card-list.tsx'
import { Mark, Time, useFirst } from '../common/parts.tsx'
import type { Attention as Item } from '../doors/kumi.ts'
import type { Card } from '../doors/operations.ts'
import { useMessages } from '../language/index.tsx'
import { SoftwareConcern } from '../software/concern.tsx'

const SHOWN = 10

/** What needs someone, worst first. */
export function Attention({ items: all, cards }: { items: readonly Item[]; cards: readonly Card[] }) {
  const t = useMessages()
  const items = all.filter((item) => !isSaid(item, cards))
  const { shown, rest } = useFirst(items, SHOWN)
  const waiting = cards.filter(({ state }) => state !== 'RETIRED').length
  return (
    <section aria-live="polite">
      <h1>{t.now.attention(items.length + waiting)}</h1>
      {cards.length > 0 && <CardList cards={cards} />}
      {items.length === 0 && cards.length > 0 ? null : items.length === 0 ? (
        <div className="panel calm">
          <Mark tone="ok">{t.now.calm}</Mark>
        </div>
      ) : (
        <>
          <ul className="attention">
            {shown.map((item) => (
              <Line key={JSON.stringify(item)} item={item} />
            ))}
          </ul>
          {rest}
        </>
      )}
    </section>
  )
}

/** What a card tells with its cause need not be told twice. */
function isSaid(item: Item, cards: readonly Card[]): boolean {
  const tells = (kind: string, name: string) =>
    cards.some(({ entities }) => entities.some((one) => one.kind === kind && one.name === name))
  if (item.kind === 'site') return tells('site', item.site)
  if (item.kind === 'link') return tells('link', `${item.source} → ${item.destination}`)
  return false
}

function Line({ item }: { item: Item }) {
  const t = useMessages()
  const reasons: Record<string, string> = t.siteReason
  switch (item.kind) {
    case 'site':
      return (
        <li className={item.state === 'down' ? '' : 'degraded-edge'}>
          <Mark tone={item.state}>{t.now.site(item.site, t.state[item.state])}</Mark>
          <span>{item.reason && (reasons[item.reason] ?? item.reason)}</span>
          {item.since && (
            <span className="quiet">
              {t.now.since} <Time at={item.since} />
            </span>
          )}
        </li>
      )
    case 'rule':
      return (
        <li>
          <Mark tone="down">
            <Link to="/rules/$id" params={{ id: item.rule }}>
              {t.now.rule(`${item.scope}:${item.name}`)}
            </Link>
          </Mark>
          <span className="error">{item.reason}</span>
          {item.since && (
            <span className="quiet">
              {t.now.since} <Time at={item.since} />
            </span>
          )}
        </li>
      )
    case 'link':
      return (
        <li>
          <Mark tone="down">
            <Link
              to="/transfers/$source/$destination"
              params={{ source: item.source, destination: item.destination }}
            >
              {t.now.link(item.source, item.destination)}
            </Link>
          </Mark>
          <span className="error">{item.reason}</span>
        </li>
      )
    case 'software':
      return <SoftwareConcern item={item} />
    case 'bad_copies':
      return (
        <li className="degraded-edge">
          <Mark tone="degraded">{t.now.badCopies(item.count)}</Mark>
          <span className="quiet">{t.now.badCopiesHint}</span>
        </li>
      )
  }
}
