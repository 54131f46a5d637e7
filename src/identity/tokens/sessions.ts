import { digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Policies } from '../policy/policies.ts'
import type { Principal } from '../principal.ts'
import type { Holders } from './holders.ts'
import { parseScope } from './scope.ts'
import * as store from './sessions.store.ts'
import { ANY_AUDIENCE } from './token.ts'
import type { Usage } from './usage.ts'

/** A login of the console in one browser. */
export type Session = store.SessionRow

export interface Sessions {
  /** Begins a session of somebody who has just shown who they are. The secret is for their cookie. */
  openSession(request: {
    accountId: number
    address: string
    userAgent: string
  }): Promise<{ secret: string; session: Session; account: string }>
  /** Who the session belongs to; throws invalid_token, account_suspended. */
  verifySession(secret: string): Promise<Principal>
  sessionsOf(vo: string, accountId: number): Promise<Session[]>
  /** Throws session_missing. */
  endSession(vo: string, accountId: number, id: string): Promise<void>
}

/** What a person may do in the console: what they may do with the token of a login. */
export const LOGIN_SCOPES: readonly string[] = [
  'grid',
  'storage.read:/',
  'storage.modify:/',
  'storage.stage:/',
  'wlcg.groups',
]

/** A session that nobody uses ends. */
export const IDLE_MS = 30 * 60_000
const LONGEST_MS = 12 * 3600_000

export function createSessions(
  context: Context,
  deps: { holders: Holders; policies: Policies; usage: Usage },
): Sessions {
  const { db, pool, ids, now, issuer, changing } = context
  const { holders, policies, usage } = deps
  const memory = context.memory<store.SessionFacts | undefined>()
  const idleSince = () => new Date(now().getTime() - IDLE_MS)
  const scopes = LOGIN_SCOPES.map(parseScope)
  return {
    async openSession({ accountId, address, userAgent }) {
      const { vo, name } = await holders.of(accountId)
      const secret = `kse_${ids.secret(32)}`
      const at = now()
      const session = {
        ...{ id: ids.uuid(), vo, accountId, address, userAgent: userAgent.slice(0, 300) },
        ...{ createdAt: at, seenAt: at, expiresAt: new Date(at.getTime() + LONGEST_MS) },
      }
      await store.insertSession(db, session, digestOf(secret))
      return { secret, session, account: name }
    },
    async verifySession(secret) {
      const hash = digestOf(secret)
      const facts = await memory.get(hash.toString('base64url'), () => store.selectSession(pool, hash, now()))
      const over = e.invalidToken('The session is over; log in again.')
      if (!facts || facts.expiresAt <= now() || facts.seenAt <= idleSince()) throw over
      if (facts.status !== 'ACTIVE') {
        throw e.accountSuspended(`The account ${facts.name} is suspended or deleted.`)
      }
      usage.session(hash)
      await policies.refresh()
      return {
        kind: facts.kind === 'SERVICE' ? 'service' : 'user',
        accountId: facts.accountId,
        account: facts.name,
        vo: facts.vo,
        issuer: issuer(facts.vo),
        subject: facts.uuid,
        groups: facts.groups,
        attributes: facts.attributes,
        scopes,
        audience: [ANY_AUDIENCE],
        tokenId: facts.id,
        expiresAt: facts.expiresAt,
        authenticatedAt: facts.createdAt,
        method: 'session',
        limited: false,
        clientId: null,
        actors: [],
      }
    },
    sessionsOf: (vo, accountId) => store.selectSessions(db, vo, accountId, now(), idleSince()),
    async endSession(vo, accountId, id) {
      const found = await changing(vo, id, (tx) => store.deleteSession(tx, { vo, accountId, id }))
      if (found === 0) throw e.sessionMissing('There is no such session, or it is over.')
    },
  }
}
