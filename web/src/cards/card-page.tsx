import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Asking, Panel, Step, useRights } from '../common/acting.tsx'
import { count, percent } from '../common/format.ts'
import { Empty, Pending, Time } from '../common/parts.tsx'
import { TablePanel } from '../common/table-panel.tsx'
import {
  type Card,
  type CardShown,
  cardQuery,
  type Entity,
  isCardOpen,
  orderCard,
} from '../doors/operations.ts'
import { useMessages } from '../language/index.tsx'
import { CardMark, codeWords, entityWords, SeverityMark, titleOf } from './parts.tsx'

export function CardPage() {
  const t = useMessages()
  const { id } = useParams({ from: '/cards/$id' })
  const asked = useQuery(cardQuery(id))
  if (!asked.data) return <Pending of={asked} />
  const { card, changes } = asked.data
  return (
    <>
      <div className="head">
        <h1>{titleOf(card, t)}</h1>
        <SeverityMark severity={card.severity} />
        <CardMark state={card.state} />
      </div>
      <Orders card={card} />
      <div className="halves">
        <Facts card={card} />
        <Cause card={card} />
      </div>
      <Findings card={card} />
      <History changes={changes} />
    </>
  )
}

function Orders({ card }: { card: Card }) {
  const t = useMessages()
  const { me, may } = useRights()
  if (!may('operations.shift')) return null
  const order = (name: Parameters<typeof orderCard>[1]) => (text: string) =>
    orderCard(card.id, name, text ? { text } : {})
  const open = isCardOpen(card)
  const { label, sure } = { label: t.cards.order, sure: t.cards.sure }
  return (
    <div className="moves above">
      {open && card.state === 'NEW' && <Step label={label.ack} run={() => orderCard(card.id, 'ack')} />}
      {open && !(card.state === 'WORKING' && card.owner === me.account) && (
        <Step label={label.own} run={() => orderCard(card.id, 'own')} />
      )}
      <Asking
        label={label.note}
        question={sure.note}
        reason={t.cards.text}
        danger={false}
        run={order('note')}
      />
      {open && (
        <Asking
          label={label.close}
          question={sure.close}
          reason={t.cards.text}
          danger={false}
          run={order('close')}
        />
      )}
      {open && card.state !== 'RETIRED' && (
        <Asking
          label={label.retire}
          question={sure.retire}
          reason={t.cards.text}
          danger={false}
          run={order('retire')}
        />
      )}
      {card.state === 'RETIRED' && <Step label={label.reopen} run={() => orderCard(card.id, 'reopen')} />}
    </div>
  )
}

/** Things that have a page lead to it. */
function EntityLink({ entity }: { entity: Entity }) {
  const t = useMessages()
  const words = entityWords(entity, t)
  const { kind, name } = entity
  const [source, destination] = name.split(' → ')
  if (kind === 'site')
    return (
      <Link to="/sites/$name" params={{ name }}>
        {words}
      </Link>
    )
  if (kind === 'production')
    return (
      <Link to="/productions/$name" params={{ name }}>
        {words}
      </Link>
    )
  if (kind === 'user')
    return (
      <Link to="/jobs" search={{ owner: name }}>
        {words}
      </Link>
    )
  if (kind === 'link' && source && destination)
    return (
      <Link to="/transfers/$source/$destination" params={{ source, destination }}>
        {words}
      </Link>
    )
  return <>{words}</>
}

function Facts({ card }: { card: Card }) {
  const t = useMessages()
  const moments = [
    [t.cards.firstSeen, card.firstSeen],
    [t.cards.lastSeen, card.lastSeen],
    [t.cards.acknowledged, card.acknowledgedAt],
    [t.cards.expires, card.expires],
    [t.cards.closed, card.closedAt],
  ] as const
  return (
    <Panel title={t.cards.about}>
      <dl className="facts">
        <dt>{t.cards.owner}</dt>
        <dd>{card.owner ?? t.cards.nobody}</dd>
        {card.escalation !== 'none' && (
          <>
            <dt>{t.cards.escalated}</dt>
            <dd className="down">{t.cards.escalation[card.escalation]}</dd>
          </>
        )}
        {moments.map(([name, at]) => at && <Moment key={name} name={name} at={at} />)}
        <dt>{t.cards.concerns}</dt>
        <dd>
          {card.entities.map((entity) => (
            <div key={`${entity.kind} ${entity.name}`}>
              <EntityLink entity={entity} />
            </div>
          ))}
        </dd>
      </dl>
    </Panel>
  )
}

const Moment = ({ name, at }: { name: string; at: string }) => (
  <>
    <dt>{name}</dt>
    <dd>
      <Time at={at} />
    </dd>
  </>
)

function Cause({ card: { cause } }: { card: Card }) {
  const t = useMessages()
  return (
    <Panel title={t.cards.cause}>
      {cause === null ? (
        <Empty>{t.cards.noCause}</Empty>
      ) : (
        <>
          <p className="flat">
            <EntityLink entity={cause.entity} />{' '}
            <span className="quiet">
              {t.cards.share(cause.failed, cause.n, percent(cause.failed / Math.max(1, cause.n)), cause.of)}
            </span>
          </p>
          {cause.sites.length > 0 && (
            <p className="flat quiet">
              {t.cards.atSites}: {cause.sites.join(', ')}
            </p>
          )}
          <ul className="plainlist">
            {cause.templates.map(({ text, n }) => (
              <li key={text}>
                <span className="break">{text}</span>
                <span className="quiet">{count(n)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  )
}

function Findings({ card: { findings } }: { card: Card }) {
  const t = useMessages()
  const columns = [
    { title: t.cards.rule },
    { title: t.cards.found },
    { title: t.cards.where },
    { title: t.cards.weight },
    { title: t.raw.since },
    { title: t.cards.facts },
  ]
  return (
    <TablePanel label={t.cards.findings} columns={columns} empty={t.cards.noFindings}>
      {findings.map(({ rule, code, entity, severity, since, facts }) => (
        <tr key={`${rule} ${code} ${entity.kind} ${entity.name}`}>
          <td>{rule}</td>
          <td>{codeWords(code, t)}</td>
          <td>
            <EntityLink entity={entity} />
          </td>
          <td>
            <SeverityMark severity={severity} />
          </td>
          <td>
            <Time at={since} />
          </td>
          <td className="break quiet">
            {Object.entries(facts)
              .map(([name, value]) => `${name} ${value}`)
              .join(' · ')}
          </td>
        </tr>
      ))}
    </TablePanel>
  )
}

function History({ changes }: Pick<CardShown, 'changes'>) {
  const t = useMessages()
  const kinds: Readonly<Record<string, string>> = t.cards.change
  return (
    <Panel title={t.cards.history}>
      <ol className="plainlist">
        {changes.map(({ at, author, kind, text }, i) => (
          <li key={`${at} ${String(i)}`}>
            <span>
              <Time at={at} /> <b>{kinds[kind.replace(/^card\./, '')] ?? kind}</b>{' '}
              <span className="break">{text}</span>
            </span>
            <span className="quiet">{author ?? t.cards.machine}</span>
          </li>
        ))}
      </ol>
    </Panel>
  )
}
