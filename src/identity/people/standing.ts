import type { Context } from '../context.ts'
import { type StandingFacts, selectStandings } from './standing.store.ts'

/** Whether somebody may get tokens, certificates' attributes and sessions now; `message` is for that person. */
export type Standing =
  | { readonly state: 'good' }
  | {
      readonly state: 'suspended' | 'expired' | 'unsigned' | 'pending'
      readonly code: StandingCode
      readonly message: string
    }

export type StandingCode =
  | 'account_suspended'
  | 'membership_expired'
  | 'policy_unsigned'
  | 'policy_expired'
  | 'registration_pending'

export interface Standings {
  /** How each account stands; accounts that do not exist are absent. */
  standingOf(accountIds: readonly number[]): Promise<Map<number, Standing>>
}

export function createStandings({ db, now }: Context): Standings {
  return {
    async standingOf(ids) {
      const facts = await selectStandings(db, ids)
      return new Map(facts.map((one) => [one.id, standing(one, now())]))
    },
  }
}

const DAY_MS = 86_400_000

/** The decision itself. Services sign nothing. Pure. */
export function standing(facts: StandingFacts, now: Date): Standing {
  const { name, status, ending, endTime, reason } = facts
  const because = reason ? ` (${reason})` : ''
  if (status === 'PENDING') {
    return {
      state: 'pending',
      code: 'registration_pending',
      message: `The registration of ${name} waits for approval; the managers of ${facts.vo} decide it.`,
    }
  }
  if (status !== 'ACTIVE' && ending !== null && endTime !== null) {
    return {
      state: 'expired',
      code: 'membership_expired',
      message: `The membership of ${name} ended on ${day(endTime)}; ask the managers of ${facts.vo} to prolong it.`,
    }
  }
  if (status !== 'ACTIVE') {
    const what = status === 'DELETED' ? 'was removed' : 'is suspended'
    return {
      state: 'suspended',
      code: 'account_suspended',
      message: `The account ${name} ${what}${because}; ask the managers of ${facts.vo}.`,
    }
  }
  if (facts.kind !== 'USER' || facts.signFrom === null) return { state: 'good' }
  if (facts.signedAt === null || facts.signedAt < facts.signFrom) {
    return {
      state: 'unsigned',
      code: 'policy_unsigned',
      message: `${name} has not signed the usage policy of ${facts.vo} yet; read and sign it in the console, or with: kumi policy sign.`,
    }
  }
  const end = signatureEnd(facts.signedAt, facts.validityDays ?? 0)
  if (end === null || end > now) return { state: 'good' }
  return {
    state: 'unsigned',
    code: 'policy_expired',
    message: `The signature of ${name} under the usage policy of ${facts.vo} ran out on ${day(end)}; sign again in the console, or with: kumi policy sign.`,
  }
}

/** When a signature stops counting; null: never. */
export function signatureEnd(signedAt: Date, validityDays: number): Date | null {
  return validityDays === 0 ? null : new Date(signedAt.getTime() + validityDays * DAY_MS)
}

const day = (date: Date): string => date.toISOString().slice(0, 10)
