import { grouped } from '../../kernel/grouped.ts'
import type { Worker } from '../../kernel/workers.ts'
import type { Context } from '../context.ts'
import type { EndingFacts } from './lifecycle.store.ts'
import * as store from './lifecycle.store.ts'
import { membershipEnds, policyReminder } from './mail-texts.ts'
import { type Mail, post } from './mails.ts'
import type { Ending } from './person.ts'
import { createSettings, type PeopleSettings } from './settings.ts'

/** What the end of a membership leads to next, and whether it happens or waits for a person. */
export interface LifecyclePlan {
  readonly steps: readonly { readonly username: string; readonly step: Ending; readonly endTime: Date }[]
  /** Steps that are due for suspiciously many at once; they wait until a manager says yes. */
  readonly held: readonly { readonly step: Ending; readonly due: number; readonly limit: number }[]
}

export interface Lifecycle {
  /** What is due now; changes nothing. */
  lifecyclePlan(vo: string): Promise<LifecyclePlan>
  /** Takes the due steps; those that are held only when `force` says that somebody looked at them. */
  runLifecycle(vo: string, options: { force?: boolean; by: string }): Promise<LifecyclePlan>
}

const DAY_MS = 86_400_000
const HOUR_MS = 3600_000
/** More than this part of the people in one day looks like a broken feed, not like people leaving. */
const MOST_PART = 0.05
const FEW = 5

/** The next step of somebody whose membership has an end; null: nothing is due. Pure. */
export function nextEnding(
  facts: Pick<EndingFacts, 'status' | 'ending' | 'endingSince' | 'endTime' | 'ignored'>,
  settings: Pick<PeopleSettings, 'suspensionGraceDays' | 'removalGraceDays'>,
  now: Date,
): Ending | null {
  const { status, ending, endingSince, endTime, ignored } = facts
  if (ignored || endTime > now) return null
  const notice = settings.suspensionGraceDays
  // Every grace counts from the step before it: who hears late still has the whole time.
  const over = (days: number) => now.getTime() - (endingSince?.getTime() ?? 0) >= days * DAY_MS
  if (ending === null) return status !== 'ACTIVE' ? null : notice > 0 ? 'PENDING_SUSPENSION' : 'SUSPENDED'
  if (ending === 'PENDING_SUSPENSION') return status === 'ACTIVE' && over(notice) ? 'SUSPENDED' : null
  if (ending === 'SUSPENDED') return over(settings.removalGraceDays) ? 'PENDING_REMOVAL' : null
  return ending === 'PENDING_REMOVAL' && over(notice) ? 'REMOVED' : null
}

export function createLifecycle(context: Context): Lifecycle {
  const { db, now, changing, log } = context
  const due = async (tx: Context['db'], vo: string) => {
    const rules = await createSettings(context.within(tx)).peopleSettings(vo)
    const all = await store.selectEnding(tx, vo, now())
    return all.flatMap((facts) => {
      const step = nextEnding(facts, rules, now())
      return step === null ? [] : [{ ...facts, step, rules }]
    })
  }
  const held = async (tx: Context['db'], vo: string, list: readonly { step: Ending }[]) => {
    const since = new Date(now().getTime() - DAY_MS)
    const { people, recent } = await store.countRecent(tx, vo, since)
    const limit = Math.max(FEW, Math.floor(people * MOST_PART))
    return [...grouped(list, ({ step }) => step)]
      .map(([step, of]) => ({ step, due: of.length, limit, taken: recent[step] ?? 0 }))
      .filter(({ due: count, taken }) => count + taken > limit)
      .map(({ taken: _taken, ...rest }) => rest)
  }
  return {
    async lifecyclePlan(vo) {
      const list = await due(db, vo)
      return { steps: list.map(shown), held: await held(db, vo, list) }
    },
    runLifecycle: (vo, { force = false, by }) =>
      changing(vo, vo, async (tx) => {
        await store.holdLifecycle(tx, vo)
        const list = await due(tx, vo)
        const waiting = force ? [] : await held(tx, vo, list)
        const going = list.filter(({ step }) => !waiting.some((other) => other.step === step))
        await store.takeSteps(tx, going, now())
        await context.audit(
          tx,
          ...going.map(({ username, step, endTime }) => ({
            ...{ vo, actor: by, action: ACTION[step], target: username },
            detail: { endTime },
          })),
          ...(await store.firstToday(tx, vo, now(), waiting.length > 0)).flatMap(() =>
            waiting.map((what) => ({
              ...{ vo, actor: by, action: 'lifecycle.held', target: vo },
              detail: { ...what },
            })),
          ),
        )
        await post(tx, now(), going.flatMap(mailOf))
        for (const what of waiting)
          log.warn({ vo, ...what }, 'too many memberships end at once; nothing done')
        return { steps: going.map(shown), held: waiting }
      }),
  }
}

const ACTION: Readonly<Record<Ending, string>> = {
  PENDING_SUSPENSION: 'account.suspension_announced',
  SUSPENDED: 'account.suspended',
  PENDING_REMOVAL: 'account.removal_announced',
  REMOVED: 'account.removed',
}

type Due = EndingFacts & { readonly step: Ending; readonly rules: PeopleSettings }

const shown = ({ username, step, endTime }: Due) => ({ username, step, endTime })

function mailOf({ id, vo, username, email, step, endTime, rules }: Due): Mail[] {
  if (email === null || step === 'REMOVED') return []
  const texts = membershipEnds(vo, username, step, { endTime, graceDays: rules.suspensionGraceDays })
  return [{ vo, accountId: id, recipient: email, kind: `membership.${step.toLowerCase()}`, texts }]
}

/** Ends memberships, reminds of signatures, forgets registrations nobody confirmed: looks every hour. */
export function lifecycleWorker(
  context: Context,
  lifecycle: Lifecycle,
  parts: { vos(): Promise<readonly string[]>; dropStaleRegistrations(now: Date): Promise<number> },
): Worker {
  let nextAt = new Date(0)
  return {
    name: 'identity-lifecycle',
    wakeOn: [],
    async tick(now) {
      if (now < nextAt) return { changed: 0, nextWake: nextAt }
      for (const vo of await parts.vos()) {
        const plan = await lifecycle.lifecyclePlan(vo)
        if (plan.steps.length > 0) await lifecycle.runLifecycle(vo, { by: 'grid' })
        await post(context.db, now, (await store.selectReminders(context.db, vo, now)).map(reminder))
      }
      await parts.dropStaleRegistrations(now)
      nextAt = new Date(now.getTime() + HOUR_MS)
      return { changed: 0, nextWake: nextAt }
    },
  }
}

function reminder({ vo, accountId, recipient, endsAt, days }: store.Reminder): Mail {
  return {
    ...{ vo, accountId, recipient, kind: 'policy.reminder', texts: policyReminder(vo, endsAt) },
    once: `policy ${vo} ${accountId} ${endsAt.toISOString()} ${days}`,
  }
}
