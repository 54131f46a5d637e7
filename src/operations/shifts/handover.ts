import type { Db } from '../../kernel/database.ts'
import { describeDowntime, downtimesAhead, exclusionsNow, listSites } from '../../sites/index.ts'
import { openCards } from '../cards/card.store.ts'
import { entriesOf } from './log.store.ts'
import type { ShiftRow } from './shift.store.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Downtimes that the next shift will meet. */
const AHEAD_MS = DAY_MS
const ACTIONS = 20

const age = (from: Date, now: Date): string => {
  const hours = (now.getTime() - from.getTime()) / HOUR_MS
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} d`
}

/** What the next shift has to know, from the tables: open cards by age, what people did, sites, what is announced. */
export async function handoverDraft(db: Db, now: Date, vo: string, shift: ShiftRow | null): Promise<string> {
  const since = shift?.startedAt ?? new Date(now.getTime() - 8 * HOUR_MS)
  const cards = await openCards(db, vo)
  const sites = await listSites(db, now, vo)
  const downtimes = await downtimesAhead(db, now, vo)
  const exclusions = await exclusionsNow(db, now, vo)
  const entries = await entriesOf(db, vo, { since, limit: 1000 })
  const oldest = [...cards].sort((a, b) => a.firstSeen.getTime() - b.firstSeen.getTime())
  const counted = (kind: string) => entries.filter((entry) => entry.kind === kind).length
  const soon = downtimes.filter(({ startsAt }) => startsAt.getTime() < now.getTime() + AHEAD_MS)
  const part = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ['', title, ...lines.map((line) => `- ${line}`)]
  return [
    `Since ${since.toISOString()}: ${counted('card.opened')} cards opened, ${counted('card.closed')} closed, ${cards.length} open.`,
    ...part(
      'Open cards, oldest first:',
      oldest.map(({ id, title, severity, state, owner, firstSeen }) =>
        [
          `${id} ${severity} ${state}${owner ? ` (${owner})` : ''}: ${title}`,
          `for ${age(firstSeen, now)}`,
        ].join(', '),
      ),
    ),
    ...part(
      'Sites that are not well:',
      sites.flatMap(({ name, state, explanation }) =>
        state === 'ok' ? [] : [`${name} is ${state}${explanation ? `: ${explanation}` : ''}`],
      ),
    ),
    ...part(
      'Shut out or held in:',
      exclusions.map(
        ({ site, resource, action, reason, madeBy, until }) =>
          `${resource ?? site}: ${action} until ${until.toISOString()} by ${madeBy ?? 'the machine'}: ${reason}`,
      ),
    ),
    ...part(
      'Downtimes now and within a day:',
      soon.map((one) => describeDowntime(one, now)),
    ),
    ...part(
      'What was done:',
      entries
        .filter(({ author, kind }) => author !== null && kind !== 'shift.started')
        .slice(0, ACTIONS)
        .reverse()
        .map(({ at, author, text }) => `${at.toISOString().slice(11, 16)} ${author}: ${text}`),
    ),
  ].join('\n')
}
