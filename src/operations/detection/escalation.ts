import { DAY_MS, HOUR_MS, MINUTE_MS } from './finding.ts'
import type { Card, CardChange, Escalation } from './types.ts'

const STALE_MS = 7 * DAY_MS
const JST_MS = 9 * HOUR_MS
const MORNING_MS = 9 * HOUR_MS

/** Nine o'clock in Japan on the next working day after a moment. */
export function nextWorkingDay(after: Date): Date {
  const there = after.getTime() + JST_MS
  let day = Math.floor(there / DAY_MS) + 1
  // 1970-01-01 was a Thursday.
  while ([6, 0].includes((day + 4) % 7)) day++
  return new Date(day * DAY_MS + MORNING_MS - JST_MS)
}

const LEVELS: readonly Escalation[] = ['none', 'expert', 'DC']

/** Who must know of a card that nobody took: the expert, in grave cases those on call. Null: nobody yet. */
export function dueEscalation(now: Date, card: Card): { to: 'expert' | 'DC'; because: string } | null {
  const left = card.state === 'NEW' || (card.expires !== null && card.expires <= now)
  if (!left || card.state === 'RETIRED' || card.state === 'DOWNTIME') return null
  const begun = card.state === 'NEW' ? card.firstSeen : card.expires!
  const age = now.getTime() - begun.getTime()
  if (card.severity === 'critical' && age >= HOUR_MS) return { to: 'DC', because: 'critical for an hour' }
  if (card.severity === 'critical' && age >= 15 * MINUTE_MS) {
    return { to: 'expert', because: 'critical for a quarter of an hour' }
  }
  if (card.severity === 'error' && age >= 4 * HOUR_MS) return { to: 'expert', because: 'four hours' }
  if (age >= DAY_MS) return { to: 'expert', because: 'a day' }
  if (card.severity === 'warn' && now >= nextWorkingDay(begun))
    return { to: 'expert', because: 'next working day' }
  return null
}

/** R24 and the timers: what time alone does to cards. */
export function timerChanges(now: Date, cards: readonly Card[]): CardChange[] {
  return cards.flatMap((card): CardChange[] => {
    const { key } = card
    const changes: CardChange[] = []
    const due = dueEscalation(now, card)
    if (due && LEVELS.indexOf(due.to) > LEVELS.indexOf(card.escalation)) {
      changes.push({ kind: 'escalate', key, ...due })
    }
    if (card.stale || card.state === 'RETIRED' || card.state === 'DOWNTIME') return changes
    if (now.getTime() - card.firstSeen.getTime() >= STALE_MS) {
      changes.push({ kind: 'stale', key, because: 'seven days' })
    } else if (card.expires !== null && card.expires <= now) {
      changes.push({ kind: 'stale', key, because: 'expired' })
    }
    return changes
  })
}
