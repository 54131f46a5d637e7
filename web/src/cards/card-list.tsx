import { Link } from '@tanstack/react-router'
import { Step, useRights } from '../common/acting.tsx'
import { Time, useFirst } from '../common/parts.tsx'
import { type Card, orderCard } from '../doors/operations.ts'
import { useMessages } from '../language/index.tsx'
import { CardMark, SeverityMark, titleOf } from './parts.tsx'

const EDGES = { info: 'quiet-edge', warn: 'degraded-edge', error: '', critical: '' }

const SHOWN = 10
const WORST = ['critical', 'error', 'warn', 'info']
/** Behind all others are those of which people have said that they stay as they are. */
const rankOf = ({ state, severity }: Card): number =>
  (state === 'RETIRED' ? WORST.length : 0) + WORST.indexOf(severity)

/** Cards by cause, worst first, each with who looks after it. */
export function CardList({ cards }: { cards: readonly Card[] }) {
  const t = useMessages()
  const { may } = useRights()
  const { shown, rest } = useFirst(
    [...cards].sort((a, b) => rankOf(a) - rankOf(b)),
    SHOWN,
  )
  const list = (
    <ul className="attention cardlist" aria-label={t.cards.title}>
      {shown.map((card) => (
        <li key={card.id} className={card.state === 'RETIRED' ? 'quiet-edge' : EDGES[card.severity]}>
          <SeverityMark severity={card.severity} />
          <Link to="/cards/$id" params={{ id: String(card.id) }}>
            {titleOf(card, t)}
          </Link>
          <span className="quiet">
            {t.now.since} <Time at={card.firstSeen} />
          </span>
          <span className="said">
            <CardMark state={card.state} /> {card.owner && <span className="quiet">{card.owner}</span>}
            {card.stale && <span className="degraded">{t.cards.stale}</span>}
            {card.escalation !== 'none' && (
              <span className="down">{t.cards.escalation[card.escalation]}</span>
            )}
            {may('operations.shift') && card.state === 'NEW' && (
              <Step label={t.cards.order.ack} run={() => orderCard(card.id, 'ack')} />
            )}
          </span>
        </li>
      ))}
    </ul>
  )
  return (
    <>
      {list}
      {rest}
    </>
  )
}
