import { type Db, transaction } from '../../kernel/database.ts'
import { cardById } from '../cards/card.store.ts'
import { badShift, cardMissing, shiftMissing, shiftRuns } from '../errors.ts'
import { handoverDraft } from './handover.ts'
import { addEntries } from './log.store.ts'
import * as store from './shift.store.ts'

export type { ShiftKind, ShiftRow } from './shift.store.ts'

const HOUR_MS = 3_600_000
/** A shift may be begun so long before its time. */
const EARLY_MS = 2 * HOUR_MS
/** How long a shift lasts that nobody planned. */
const UNPLANNED_MS = 8 * HOUR_MS
const LONGEST_MS = 14 * 24 * HOUR_MS

/** Puts somebody on the roster. Throws operations.bad_shift. */
export async function planShift(db: Db, now: Date, shift: store.NewShift): Promise<store.ShiftRow> {
  const { startsAt, endsAt } = shift
  if (endsAt <= startsAt || endsAt <= now)
    throw badShift('A shift ends after it begins, and not in the past.')
  if (endsAt.getTime() - startsAt.getTime() > LONGEST_MS) throw badShift('A shift lasts two weeks at most.')
  return transaction(db, (tx) => store.insertShift(tx, shift, null))
}

/** Takes a shift that has not begun off the roster. Throws operations.shift_missing. */
export async function unplanShift(db: Db, vo: string, id: bigint): Promise<void> {
  if ((await store.dropShift(db, vo, id)) === 0)
    throw shiftMissing(`There is no shift ${id} that has not begun.`)
}

/** Begins the planned shift of somebody, or one that nobody planned. Throws operations.shift_runs. */
export async function startShift(
  db: Db,
  now: Date,
  { vo, kind, person }: { vo: string; kind: store.ShiftKind; person: string },
): Promise<store.ShiftRow> {
  return transaction(db, async (tx) => {
    const running = (await store.runningShifts(tx, vo)).find((one) => one.kind === kind)
    if (running?.person === person)
      throw shiftRuns(`Your shift runs since ${running.startedAt!.toISOString()}.`)
    const early = new Date(now.getTime() + EARLY_MS)
    const planned = await store.plannedShift(tx, { vo, kind, person, at: now, early })
    const endsAt = new Date(now.getTime() + UNPLANNED_MS)
    const shift = planned
      ? await store.setStarted(tx, planned.id, now)
      : await store.insertShift(tx, { vo, kind, person, startsAt: now, endsAt }, now)
    const after = running ? ` (${running.person} has not handed over)` : ''
    const text = `${person} begins the shift ${kind}${after}`
    await addEntries(tx, [{ vo, at: now, author: person, kind: 'shift.started', text }])
    return shift
  })
}

/** Ends the running shift of somebody; without words of theirs the draft is the handover. Throws operations.shift_missing. */
export async function endShift(
  db: Db,
  now: Date,
  { vo, person, text }: { vo: string; person: string; text?: string | undefined },
): Promise<store.ShiftRow> {
  return transaction(db, async (tx) => {
    const running = (await store.runningShifts(tx, vo)).find((one) => one.person === person)
    if (!running) throw shiftMissing('No shift of yours runs; begin one with: kumi shift start')
    const handover = text?.trim() || (await handoverDraft(tx, now, vo, running))
    const said = {
      vo,
      at: now,
      author: person,
      kind: 'shift.ended',
      text: `${person} hands over. ${handover}`,
    }
    await addEntries(tx, [said])
    return store.setEnded(tx, running.id, now, handover)
  })
}

export interface ShiftsNow {
  readonly running: readonly store.ShiftRow[]
  /** The last one that was handed over. */
  readonly before: store.ShiftRow | null
  /** What would be handed over now. */
  readonly draft: string
}

export async function shiftsNow(db: Db, now: Date, vo: string): Promise<ShiftsNow> {
  const running = await store.runningShifts(db, vo)
  const before = (await store.lastHandover(db, vo)) ?? null
  return { running, before, draft: await handoverDraft(db, now, vo, running[0] ?? null) }
}

export const roster = (db: Db, vo: string, from: Date, to: Date): Promise<store.ShiftRow[]> =>
  store.shiftsBetween(db, vo, from, to)

/** Somebody writes into the log. Throws operations.bad_shift when there is nothing to write. */
export async function writeLog(
  db: Db,
  now: Date,
  entry: { vo: string; author: string; text: string; site?: string | undefined; card?: bigint | undefined },
): Promise<void> {
  const { vo, author, text, site = null, card = null } = entry
  if (text.trim() === '') throw badShift('There is nothing to write.')
  await transaction(db, async (tx) => {
    if (card !== null && !(await cardById(tx, vo, card))) throw cardMissing(`There is no card ${card}.`)
    await addEntries(tx, [{ vo, at: now, author, kind: 'note', text: text.trim(), site, cardId: card }])
  })
}
