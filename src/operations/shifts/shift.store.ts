import { affected, type Db, row, rows, sql, type Tx } from '../../kernel/database.ts'

/** DP: who watches; expert: whom they ask; DC: on call for the servers. */
export type ShiftKind = 'DP' | 'expert' | 'DC'

export interface ShiftRow {
  readonly id: bigint
  readonly kind: ShiftKind
  readonly person: string
  readonly startsAt: Date
  readonly endsAt: Date
  readonly startedAt: Date | null
  /** What the next one was told. */
  readonly handover: string | null
  readonly endedAt: Date | null
}

const SHIFT = sql`id, kind, person, starts_at as "startsAt", ends_at as "endsAt", started_at as "startedAt", handover,
  ended_at as "endedAt"`

export type NewShift = Pick<ShiftRow, 'kind' | 'person' | 'startsAt' | 'endsAt'> & { readonly vo: string }

export async function insertShift(tx: Tx, shift: NewShift, startedAt: Date | null): Promise<ShiftRow> {
  const { vo, kind, person, startsAt, endsAt } = shift
  const made = await row(
    tx,
    sql<ShiftRow>`insert into shift (vo, kind, person, starts_at, ends_at, started_at)
      values (${vo}, ${kind}, ${person}, ${startsAt}, ${endsAt}, ${startedAt}) returning ${SHIFT}`,
  )
  return made!
}

/** Shifts that touch a span of time, in their order. */
export const shiftsBetween = (db: Db, vo: string, from: Date, to: Date): Promise<ShiftRow[]> =>
  rows(
    db,
    sql<ShiftRow>`select ${SHIFT} from shift where vo = ${vo} and ends_at > ${from} and starts_at < ${to}
      order by starts_at, kind, id limit 1000`,
  )

/** Shifts that have begun and are not handed over. */
export const runningShifts = (db: Db, vo: string): Promise<ShiftRow[]> =>
  rows(
    db,
    sql<ShiftRow>`select ${SHIFT} from shift where vo = ${vo} and started_at is not null and ended_at is null
      order by started_at desc`,
  )

/** The last shift that was handed over. */
export const lastHandover = (db: Db, vo: string): Promise<ShiftRow | undefined> =>
  row(
    db,
    sql<ShiftRow>`select ${SHIFT} from shift where vo = ${vo} and ended_at is not null order by ended_at desc limit 1`,
  )

/** A planned shift of somebody that may begin now, locked. */
export const plannedShift = (
  tx: Tx,
  { vo, kind, person, at, early }: { vo: string; kind: ShiftKind; person: string; at: Date; early: Date },
): Promise<ShiftRow | undefined> =>
  row(
    tx,
    sql<ShiftRow>`select ${SHIFT} from shift where vo = ${vo} and kind = ${kind} and person = ${person}
      and started_at is null and starts_at <= ${early} and ends_at > ${at} order by starts_at limit 1 for update`,
  )

export const setStarted = async (tx: Tx, id: bigint, now: Date): Promise<ShiftRow> =>
  (await row(tx, sql<ShiftRow>`update shift set started_at = ${now} where id = ${id} returning ${SHIFT}`))!

export const setEnded = async (tx: Tx, id: bigint, now: Date, handover: string): Promise<ShiftRow> =>
  (await row(
    tx,
    sql<ShiftRow>`update shift set ended_at = ${now}, handover = ${handover} where id = ${id} returning ${SHIFT}`,
  ))!

/** Takes a shift that has not begun off the roster. */
export const dropShift = (db: Db, vo: string, id: bigint): Promise<number> =>
  affected(db, sql`delete from shift where vo = ${vo} and id = ${id}::bigint and started_at is null`)
