import { transaction } from '../../kernel/database.ts'
import { digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { type Standing, standing } from '../people/standing.ts'
import type { Policies } from '../policy/policies.ts'
import type { Principal } from '../principal.ts'
import { type Holders, refuseUnlessGood } from './holders.ts'
import { parseScope } from './scope.ts'
import * as store from './sessions.store.ts'
import { ANY_AUDIENCE } from './token.ts'
import type { Usage } from './usage.ts'
import { LOGIN_SCOPES } from './vocabulary.ts'

/** A login of the console in one browser. */
export type Session = store.SessionRow

export interface Sessions {
  /**
   * Begins a session of somebody who has just shown who they are; the secret is for their cookie. Whoever has to sign
   * the usage policy may do so in it, and nothing else. Throws the code of any other standing.
   */
  openSession(request: {
    accountId: number
    address: string
    userAgent: string
  }): Promise<{ secret: string; session: Session; account: string; standing: Standing }>
  /** Who the session belongs to; throws invalid_token, account_suspended. */
  verifySession(secret: string): Promise<Principal>
  sessionsOf(vo: string, accountId: number): Promise<Session[]>
  /** Throws session_missing. */
  endSession(vo: string, accountId: number, id: string, by?: string): Promise<void>
}

/** Somebody who has not signed the usage policy may do that, and nothing else. */
const SCOPES_TO_SIGN = ['grid.identity.policy.sign', 'grid.identity.people.read']

/** A session that nobody uses ends. */
export const IDLE_MS = 30 * 60_000
const LONGEST_MS = 12 * 3600_000

export function createSessions(
  context: Context,
  deps: { holders: Holders; policies: Policies; usage: Usage },
): Sessions {
  const { db, ids, now, issuer, changing } = context
  const { holders, policies, usage } = deps
  const memory = context.memory<store.SessionFacts | undefined>()
  const idleSince = () => new Date(now().getTime() - IDLE_MS)
  const allScopes = LOGIN_SCOPES.map(parseScope)
  const fewScopes = SCOPES_TO_SIGN.map(parseScope)
  return {
    async openSession({ accountId, address, userAgent }) {
      const holder = await holders.anyhow(accountId)
      const stands = standing(holder, now())
      if (stands.state !== 'unsigned') refuseUnlessGood(stands)
      const { vo, name } = holder
      const secret = `kse_${ids.secret(32)}`
      const at = now()
      const session = {
        ...{ id: ids.uuid(), vo, accountId, address, userAgent: userAgent.slice(0, 300) },
        ...{ createdAt: at, seenAt: at, expiresAt: new Date(at.getTime() + LONGEST_MS) },
      }
      await transaction(db, async (tx) => {
        await store.insertSession(tx, session, digestOf(secret))
        const entry = { vo, actor: name, action: 'session.opened', target: name }
        await context.audit(tx, { ...entry, detail: { session: session.id, address } })
      })
      return { secret, session, account: name, standing: stands }
    },
    async verifySession(secret) {
      const hash = digestOf(secret)
      const facts = await memory.get(hash.toString('base64url'), () => store.selectSession(db, hash, now()))
      if (!facts || facts.expiresAt <= now() || facts.seenAt <= idleSince()) {
        throw e.invalidToken('The session is over; log in again.')
      }
      const { account } = facts
      const stands = standing(account, now())
      if (stands.state !== 'unsigned') refuseUnlessGood(stands)
      usage.session(hash)
      await policies.refresh()
      return {
        kind: account.kind === 'SERVICE' ? 'service' : 'user',
        accountId: account.id,
        account: account.name,
        vo: account.vo,
        issuer: issuer(account.vo),
        subject: account.uuid,
        groups: facts.groups,
        attributes: facts.attributes,
        scopes: stands.state === 'good' ? allScopes : fewScopes,
        audience: [ANY_AUDIENCE],
        tokenId: facts.session,
        expiresAt: facts.expiresAt,
        authenticatedAt: facts.createdAt,
        method: 'session',
        limited: false,
        clientId: null,
        actors: [],
      }
    },
    sessionsOf: (vo, accountId) => store.selectSessions(db, vo, accountId, now(), idleSince()),
    async endSession(vo, accountId, id, by) {
      await changing(vo, id, async (tx) => {
        const found = await store.deleteSession(tx, { vo, accountId, id })
        if (found === 0) throw e.sessionMissing('There is no such session, or it is over.')
        const { name } = await holders.anyhow(accountId)
        const entry = { vo, actor: by ?? name, action: 'session.ended', target: name }
        await context.audit(tx, { ...entry, detail: { session: id } })
      })
    },
  }
}
