import { randomInt } from 'node:crypto'
import { transaction } from '../../kernel/database.ts'
import { createLimits, type Limits } from '../accounts/limits.ts'
import { digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { audienceOf } from './audience.ts'
import { type Answer, narrowed, pickClient, type Question, type Visitor } from './authorization.ts'
import type { Client } from './client.ts'
import type { ClientBook } from './clients.ts'
import * as store from './device.store.ts'
import { entitled, usualScopes, withinClient } from './entitlement.ts'
import type { GrantBook, Issued } from './grants.ts'
import type { Holders } from './holders.ts'
import { formatScope } from './scope.ts'
import type { ScopePolicyBook } from './scope-policies.ts'
import { askedScope } from './vocabulary.ts'

export interface DeviceCodes {
  readonly deviceCode: string
  /** Eight letters without vowels, as a person reads them: `BCDF-GHJK`. */
  readonly userCode: string
  readonly expiresAt: Date
  readonly intervalSeconds: number
}

export interface Devices {
  /** RFC 8628 §3.1; throws invalid_scope, invalid_target, too_many_codes. */
  startDevice(request: {
    client: Client
    scopes: readonly string[]
    audience: readonly string[]
    address: string
  }): Promise<DeviceCodes>
  /** What the device behind a user code asks for; throws user_code_wrong, login_rate_limited. */
  deviceQuestion(vo: string, userCode: string, person: Visitor, peer: string): Promise<DeviceQuestion>
  answerDevice(vo: string, userCode: string, person: Visitor, answer: Answer, peer: string): Promise<void>
  /** The tokens, once approved; throws authorization_pending, slow_down, expired_token, access_denied, invalid_grant. */
  redeemDevice(client: Client, deviceCode: string): Promise<Issued>
}

export interface DeviceQuestion extends Question {
  readonly askedAt: Date
}

const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const CODE_MS = 600_000
const INTERVAL_SECONDS = 5
/** Waiting at one address at a time; many people may sit behind one. */
const MOST_WAITING = 100
const MOST_WRONG = { account: 10, peer: 50 }

export function createDevices(
  context: Context,
  deps: { clients: ClientBook; holders: Holders; policies: ScopePolicyBook; grants: GrantBook },
): Devices {
  const { db, ids, now } = context
  const { clients, holders, policies, grants } = deps
  const limits: Limits = createLimits(context)

  /** Guessing is limited by account and by address. */
  const pending = (vo: string, userCode: string, person: Visitor, peer: string) => {
    const found = async () => {
      const row = await store.selectPending(db, vo, userHash(userCode), now())
      if (!row) throw e.userCodeWrong('This code is wrong, used or older than ten minutes.')
      return row
    }
    const ofAccount = () => limits.within(`user code ${person.accountId}`, MOST_WRONG.account, found)
    return limits.within(`user code peer ${peer}`, MOST_WRONG.peer, ofAccount)
  }
  const offer = async (row: store.DeviceRow, client: Client, person: Visitor, lenient: boolean) => {
    const holder = await holders.of(person.accountId)
    if (holder.vo !== row.vo) throw e.accessDenied(`The account ${holder.name} is not of ${row.vo}.`)
    return (await entitled(policies, { holder, client, asked: row.scopes, lenient })).scopes
  }
  return {
    async startDevice({ client, scopes, audience, address }) {
      const asked = scopes.map(askedScope)
      const wanted = asked.length > 0 ? withinClient(client, asked).map(formatScope) : usualScopes(client)
      if (wanted.length === 0) throw e.invalidScope('The client may ask for none of these scopes.')
      if ((await store.countDevices(db, address, now())) >= MOST_WAITING) {
        throw e.tooManyCodes('Too many logins wait at this address; finish some, or wait ten minutes.')
      }
      const createdAt = now()
      const row = {
        ...{
          vo: client.vo,
          clientId: client.id,
          scopes: wanted,
          audience: audienceOf(client, audience),
          address,
        },
        ...{ createdAt, expiresAt: new Date(createdAt.getTime() + CODE_MS) },
      }
      const deviceCode = `kdc_${ids.secret(32)}`
      for (;;) {
        const userCode = Array.from({ length: 8 }, () => LETTERS[randomInt(LETTERS.length)]).join('')
        const hashes = { device: digestOf(deviceCode), user: userHash(userCode) }
        if ((await store.insertDevice(db, hashes, row, INTERVAL_SECONDS)) === 0) continue
        const shown = `${userCode.slice(0, 4)}-${userCode.slice(4)}`
        return { deviceCode, userCode: shown, expiresAt: row.expiresAt, intervalSeconds: INTERVAL_SECONDS }
      }
    },
    async deviceQuestion(vo, userCode, person, peer) {
      const row = await pending(vo, userCode, person, peer)
      const client = await clients.client(vo, row.clientId)
      const scopes = await offer(row, client, person, true)
      return {
        ...{ client: pickClient(client), scopes, audience: row.audience, whereto: row.address },
        ...{ loginNeeded: false, consentNeeded: true, rememberable: false, askedAt: row.createdAt },
      }
    },
    async answerDevice(vo, userCode, person, { approve, scopes }, peer) {
      const row = await pending(vo, userCode, person, peer)
      const client = await clients.client(vo, row.clientId)
      const offered = approve ? await offer(row, client, person, false) : row.scopes
      const decision = {
        ...{ ...person, state: approve ? ('approved' as const) : ('denied' as const) },
        scopes: approve && scopes ? narrowed(offered, scopes) : offered,
      }
      const { name } = await holders.of(person.accountId)
      await transaction(db, async (tx) => {
        if ((await store.decide(tx, vo, userHash(userCode), decision, now())) === 0) {
          throw e.userCodeWrong('This code was decided already, or is older than ten minutes.')
        }
        const entry = { vo, actor: name, action: `device.${decision.state}`, target: client.id }
        const detail = { address: row.address, scopes: decision.scopes }
        await context.audit(tx, { ...entry, detail })
      })
    },
    async redeemDevice(client, deviceCode) {
      const found = await store.poll(db, client.vo, client.id, digestOf(deviceCode), now())
      if (!found || found.state === 'used') throw e.invalidGrant('The device code is wrong or used.')
      if (found.expiresAt <= now()) throw e.expiredToken('The code is older than ten minutes; begin anew.')
      if (found.state === 'denied') throw e.accessDenied('The person at the browser refused.')
      if (found.tooEarly) throw e.slowDown('Ask less often: wait five seconds longer from now on.')
      if (found.state === 'pending') throw e.authorizationPending('Nobody has decided at the browser yet.')
      const { scopes, audience } = found
      const person = { accountId: found.accountId!, authenticatedAt: found.authenticatedAt! }
      return grants.issue({ ...person, grantId: ids.uuid(), client, scopes, audience })
    },
  }
}

/** Read as people type: any case, with or without the dash. */
function userHash(userCode: string): Buffer {
  return digestOf(`user ${userCode.toUpperCase().replace(/[^A-Z]/g, '')}`)
}
