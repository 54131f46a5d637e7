import { type Db, row, rows, sql, type Tx } from '../../kernel/database.ts'
import type { Card, CardContent, CardState, Escalation, Memory } from '../detection/index.ts'

export interface CardRow extends Card {
  readonly id: bigint
  readonly title: string
  readonly openedAt: Date
  readonly closedAt: Date | null
  /** null while open, and for what the grid closed itself. */
  readonly closedBy: string | null
  readonly mergedInto: bigint | null
}

/** Times inside jsonb come back as texts. */
type Stored = Omit<CardRow, 'findings'> & {
  readonly findings: readonly (Omit<Card['findings'][number], 'since'> & { since: string })[]
}

const CARD = sql`id, key, title, state, severity, entity, cause, entities, findings, first_seen as "firstSeen",
  last_seen as "lastSeen", acknowledged_at as "acknowledgedAt", owner, expires, escalation, stale,
  opened_at as "openedAt", closed_at as "closedAt", closed_by as "closedBy", merged_into as "mergedInto"`

const cardOf = (stored: Stored): CardRow => ({
  ...stored,
  findings: stored.findings.map((one) => ({ ...one, since: new Date(one.since) })),
})

/** Takes the turn to look for a VO: its memory, and when somebody last looked. Held until the transaction ends. */
export async function lockDetector(
  tx: Tx,
  vo: string,
  empty: Memory,
): Promise<{ memory: Memory; lookedAt: Date | null } | undefined> {
  await sql`insert into detector (vo, memory) values (${vo}, ${JSON.stringify(empty)}::jsonb)
    on conflict (vo) do nothing`.execute(tx)
  return row(
    tx,
    sql<{
      memory: Memory
      lookedAt: Date | null
    }>`select memory, looked_at as "lookedAt" from detector where vo = ${vo}
      for update skip locked`,
  )
}

export const lookedAt = async (db: Db, vo: string): Promise<Date | null> =>
  (await row(db, sql<{ at: Date | null }>`select looked_at as at from detector where vo = ${vo}`))?.at ?? null

export const putMemory = (tx: Tx, now: Date, vo: string, memory: Memory) =>
  sql`update detector set memory = ${JSON.stringify(memory)}::jsonb, looked_at = ${now} where vo = ${vo}`.execute(
    tx,
  )

export const openCards = async (db: Db, vo: string): Promise<CardRow[]> =>
  (
    await rows(db, sql<Stored>`select ${CARD} from card where vo = ${vo} and closed_at is null order by id`)
  ).map(cardOf)

/** Cards, newest first; closed ones only when asked for. */
export const listCards = async (
  db: Db,
  vo: string,
  { closed, limit }: { closed: boolean; limit: number },
): Promise<CardRow[]> =>
  (
    await rows(
      db,
      sql<Stored>`select ${CARD} from card where vo = ${vo} and (${closed} or closed_at is null)
        order by id desc limit ${limit}`,
    )
  ).map(cardOf)

export async function cardById(db: Db, vo: string, id: bigint, lock = false): Promise<CardRow | undefined> {
  const found = await row(
    db,
    sql<Stored>`select ${CARD} from card where vo = ${vo} and id = ${id}::bigint ${lock ? sql`for update` : sql``}`,
  )
  return found && cardOf(found)
}

export async function insertCard(
  tx: Tx,
  now: Date,
  vo: string,
  card: CardContent & { title: string },
): Promise<bigint> {
  const json = (value: unknown) => (value === null ? null : JSON.stringify(value))
  const made = await row(
    tx,
    sql<{
      id: bigint
    }>`insert into card (vo, key, title, severity, entity, cause, entities, findings, first_seen,
        last_seen, opened_at)
      values (${vo}, ${card.key}, ${card.title}, ${card.severity}, ${json(card.entity)}::jsonb, ${json(card.cause)}::jsonb,
        ${json(card.entities)}::jsonb, ${json(card.findings)}::jsonb, ${card.firstSeen}, ${card.lastSeen}, ${now})
      returning id`,
  )
  return made!.id
}

export async function updateCard(tx: Tx, id: bigint, card: CardContent & { title: string }): Promise<void> {
  const json = (value: unknown) => (value === null ? null : JSON.stringify(value))
  await sql`update card set key = ${card.key}, title = ${card.title}, severity = ${card.severity}, entity = ${json(card.entity)}::jsonb,
      cause = ${json(card.cause)}::jsonb, entities = ${json(card.entities)}::jsonb, findings = ${json(card.findings)}::jsonb,
      first_seen = ${card.firstSeen}, last_seen = ${card.lastSeen}
    where id = ${id}`.execute(tx)
}

export async function closeCard(
  tx: Tx,
  now: Date,
  id: bigint,
  by: string | null,
  into: bigint | null = null,
): Promise<void> {
  await sql`update card set state = 'CLOSED', closed_at = ${now}, closed_by = ${by}, merged_into = ${into}::bigint
    where id = ${id}`.execute(tx)
}

export interface CardChoice {
  readonly state: CardState
  readonly owner: string | null
  readonly acknowledgedAt: Date | null
  readonly expires: Date | null
  readonly stale: boolean
}

/** What people decide about a card. */
export const setChoice = (tx: Tx, id: bigint, choice: CardChoice) =>
  sql`update card set state = ${choice.state}, owner = ${choice.owner}, acknowledged_at = ${choice.acknowledgedAt},
      expires = ${choice.expires}, stale = ${choice.stale} where id = ${id}`.execute(tx)

export const setTimer = (tx: Tx, id: bigint, timer: { escalation?: Escalation; stale?: boolean }) =>
  sql`update card set escalation = coalesce(${timer.escalation ?? null}, escalation),
      stale = coalesce(${timer.stale ?? null}, stale) where id = ${id}`.execute(tx)

export interface CardChangeRow {
  readonly at: Date
  /** null: the grid itself. */
  readonly author: string | null
  readonly kind: string
  readonly text: string
}

export const insertChange = (tx: Tx, cardId: bigint, { at, author, kind, text }: CardChangeRow) =>
  sql`insert into card_change (card_id, at, author, kind, text)
    values (${cardId}, ${at}, ${author}, ${kind}, ${text})`.execute(tx)

export const changesOf = (db: Db, cardId: bigint): Promise<CardChangeRow[]> =>
  rows(
    db,
    sql<CardChangeRow>`select at, author, kind, text from card_change where card_id = ${cardId}::bigint order by id`,
  )
