import { type Db, rows, sql, type Tx } from '../../kernel/database.ts'

export interface NewEntry {
  readonly vo: string
  readonly at: Date
  /** null: the grid itself. */
  readonly author: string | null
  /** `note`, or what happened: `card.opened`, `site.state`, `downtime.added`, … */
  readonly kind: string
  readonly text: string
  readonly cardId?: bigint | null
  readonly site?: string | null
}

/** Writes into the log, on the shift of a person that has begun, if there is one. */
export async function addEntries(tx: Tx, entries: readonly NewEntry[]): Promise<void> {
  if (entries.length === 0) return
  const list = JSON.stringify(entries, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  await sql`insert into shift_entry (vo, shift_id, at, author, kind, text, card_id, site)
    select e.vo, (select s.id from shift s where s.vo = e.vo and s.started_at <= e.at and s.ended_at is null
      order by s.kind = 'DP' desc, s.started_at desc limit 1), e.at, e.author, e.kind, left(e.text, 2000), e."cardId", e.site
    from jsonb_to_recordset(${list}::jsonb)
      as e(vo text, at timestamptz, author text, kind text, text text, "cardId" bigint, site text)`.execute(
    tx,
  )
}

export interface EntryRow {
  readonly id: bigint
  readonly shift: bigint | null
  readonly at: Date
  readonly author: string | null
  readonly kind: string
  readonly text: string
  readonly card: bigint | null
  readonly site: string | null
}

/** Entries of a shift, or of all, oldest last. */
export const entriesOf = (
  db: Db,
  vo: string,
  { shift, since, limit }: { shift?: bigint | undefined; since?: Date | undefined; limit: number },
): Promise<EntryRow[]> =>
  rows(
    db,
    sql<EntryRow>`select id, shift_id as shift, at, author, kind, text, card_id as card, site from shift_entry
      where vo = ${vo} and (${shift ?? null}::bigint is null or shift_id = ${shift ?? null}::bigint)
        and (${since ?? null}::timestamptz is null or at >= ${since ?? null}::timestamptz)
      order by id desc limit ${limit}`,
  )
