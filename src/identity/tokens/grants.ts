import { createHmac, hkdfSync } from 'node:crypto'
import { type Db, transaction } from '../../kernel/database.ts'
import { digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { audienceOf } from './audience.ts'
import type { Client } from './client.ts'
import { attenuated, entitled } from './entitlement.ts'
import * as store from './grants.store.ts'
import type { Holders } from './holders.ts'
import type { MintedToken, Minter } from './mint.ts'
import type { ScopePolicyBook } from './scope-policies.ts'
import { insertRevoked } from './tokens.store.ts'
import type { Usage } from './usage.ts'

export type Grant = Omit<store.GrantRow, 'revokedAt'>

/** Everything one answer of the token endpoint may hold. */
export interface Issued extends MintedToken {
  readonly refreshToken?: string
  readonly idToken?: string
}

/** What somebody consented to, and when they logged in for it. */
export interface GrantRequest {
  readonly grantId: string
  readonly client: Client
  readonly accountId: number
  /** Defaults to the account's uuid. */
  readonly subject?: string
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
  readonly authenticatedAt: Date
  /** The first access token ends then at the latest. */
  readonly notAfter?: Date
  readonly nonce?: string | null
  readonly actors?: readonly string[]
}

export interface RefreshRequest {
  readonly client: Client
  readonly token: string
  /** Each must lie within what was granted; all of it when none is named. */
  readonly scopes: readonly string[]
  readonly audience: readonly string[]
}

export interface Grants {
  /** A fresh token for an old refresh token; throws invalid_grant, invalid_scope, invalid_target. */
  refresh(request: RefreshRequest): Promise<Issued>
  /** The lasting permissions an account has given and not taken back. */
  grantsOf(vo: string, accountId: number): Promise<Grant[]>
  /** Takes one back, with the tokens it gave and what was remembered of the consent; throws grant_missing. */
  revokeGrant(vo: string, accountId: number, id: string, by: string): Promise<void>
  /** Takes back all of an account; tells how many. */
  revokeGrants(of: { vo: string; accountId: number }, by: string): Promise<number>
  /** RFC 7009 for a refresh token; false when it is none of this client. */
  revokeRefreshToken(client: Client, token: string): Promise<boolean>
  /** RFC 7662 for a refresh token of the client itself. */
  inspectRefreshToken(client: Client, token: string): Promise<Grant | undefined>
}

export interface GrantBook extends Grants {
  /** The first tokens of a grant; a refresh token with them if offline_access is among its scopes. */
  issue(request: GrantRequest): Promise<Issued>
  /** Whatever was given under this name is void from now on. */
  revokeAll(tx: Db, which: { vo: string; id: string }, reason: string): Promise<void>
  /** All that an account has given, and what is remembered of its consents; tells how many. */
  revokeOf(tx: Db, of: { vo: string; accountId: number }, reason: string, by: string): Promise<number>
}

type Family = Omit<store.GrantRow, 'clientName' | 'usedAt' | 'expiresAt' | 'revokedAt'>
const MOST_REMEMBERED = 20_000
/** No access token lives longer. */
const ACCESS_MS = 6 * 3600_000

export function createGrants(
  context: Context,
  deps: { holders: Holders; minter: Minter; policies: ScopePolicyBook; usage: Usage },
): GrantBook {
  const { db, ids, now, log, changing } = context
  const { holders, minter, policies, usage } = deps
  /** What a person agreed to never changes, so whoever comes again is asked for nothing but the token itself. */
  const families = new Map<string, Family>()
  // A lost answer can be given again, because the successor of a token is always the same; only with this key.
  const key = Buffer.from(hkdfSync('sha256', context.sealKey, '', 'kumi refresh token', 32))
  const successor = (id: string, token: string) =>
    refreshToken(id, createHmac('sha256', key).update(token).digest('base64url'))
  /** The grant a refresh token belongs to, if it ever did, to this client. */
  const familyOf = async (client: Client, token: string): Promise<store.RefreshRow | undefined> => {
    const id = grantIn(token)
    const grant = id && (await store.selectRefresh(db, id, digestOf(token)))
    if (!grant || !(grant.present || grant.replacedAt)) return undefined
    return isOf(grant, client) ? grant : undefined
  }
  /** The same for a token that may be used; throws invalid_grant for every other, and ends a family used twice. */
  const usable = async (client: Client, token: string): Promise<store.RefreshRow> => {
    const grant = await familyOf(client, token)
    const at = now()
    if (!grant || grant.revokedAt || grant.expiresAt <= at) {
      throw e.invalidGrant('The refresh token is wrong, over or revoked; log in again.')
    }
    const { id, replacedAt } = grant
    if (replacedAt && at.getTime() - replacedAt.getTime() > client.graceSeconds * 1000) {
      // Either its thief or its owner uses a token that the other has replaced: nobody may go on with it.
      log.warn({ grant: id, client: client.id, account: grant.accountId }, 'refresh token used twice')
      await changing(client.vo, id, (tx) => self.revokeAll(tx, grant, 'refresh token used twice'))
      throw e.invalidGrant('The refresh token was used before; all of its family are revoked. Log in again.')
    }
    if (families.size >= MOST_REMEMBERED) families.delete(families.keys().next().value!)
    families.set(id, grant)
    return grant
  }

  const voided = async (tx: Db, id: string): Promise<void> => {
    await insertRevoked(tx, id, new Date(now().getTime() + ACCESS_MS))
  }
  const ended = async (
    tx: Db,
    vo: string,
    gone: readonly { id: string; clientId: string; account: string }[],
    reason: string,
    by: string,
  ): Promise<void> => {
    for (const { id } of gone) await voided(tx, id)
    const entries = gone.map(({ id, clientId, account }) => ({
      ...{ vo, actor: by, action: 'grant.revoked', target: clientId },
      detail: { grant: id, account, reason },
    }))
    await context.audit(tx, ...entries)
  }
  const minted = async (
    request: GrantRequest & { readonly subject: string; readonly groups: readonly string[] },
  ): Promise<Issued> => {
    const { client, grantId, scopes, subject, authenticatedAt, nonce, actors, notAfter } = request
    const { accountId, groups, audience } = request
    const facts = { vo: client.vo, subject, clientId: client.id, authenticatedAt }
    const token = await minter.mint({
      ...{ ...facts, accountId, scopes, groups, audience, grantId },
      ...(actors && { actors }),
      ...(notAfter && { notAfter }),
      lifetimeSeconds: client.accessSeconds,
    })
    if (!scopes.includes('openid')) return token
    const idToken = await minter.idToken({ ...facts, nonce: nonce ?? null, accessToken: token.token })
    return { ...token, idToken }
  }

  const self: GrantBook = {
    async issue(request) {
      const { client, accountId, scopes, grantId } = request
      const holder = await holders.of(accountId)
      const { subject = holder.uuid } = request
      const entitlement = await entitled(policies, { holder, client, asked: scopes, lenient: true })
      const issued = await minted({ ...request, ...entitlement, subject })
      if (!entitlement.scopes.includes('offline_access')) return issued
      const first = refreshToken(grantId, ids.secret(32))
      const grant = {
        ...{
          id: grantId,
          vo: client.vo,
          clientId: client.id,
          accountId,
          subject,
          scopes: entitlement.scopes,
        },
        ...{
          audience: request.audience,
          actors: request.actors ?? [],
          authenticatedAt: request.authenticatedAt,
        },
        createdAt: now(),
        expiresAt: new Date(now().getTime() + client.refreshSeconds * 1000),
      }
      const given = await transaction(db, async (tx) => {
        await store.lockGrant(tx, grantId)
        const detail = { grant: grantId, scopes: grant.scopes, expires: grant.expiresAt.toISOString() }
        await context.audit(tx, {
          ...{ vo: client.vo, actor: holder.name, action: 'grant.given', target: client.id, detail },
        })
        return store.insertGrant(tx, grant, digestOf(first))
      })
      if (given === 0) throw e.invalidGrant('What this comes from was revoked meanwhile.')
      return { ...issued, refreshToken: first }
    },
    async refresh({ client, token, scopes, audience }) {
      const known = families.get(grantIn(token) ?? '')
      const rotates = client.refreshUse === 'rotate'
      const fast = rotates && known && isOf(known, client) ? known : undefined
      const grant = fast ?? (await usable(client, token))
      const holder = await holders.of(grant.accountId)
      const asked = attenuated(grant.scopes, scopes, holder.memberships)
      const lenient = scopes.length === 0
      const entitlement = await entitled(policies, { holder, client, asked, lenient })
      const aud = audienceOf(client, audience, grant.audience)
      const { id: grantId, accountId, subject, authenticatedAt, actors } = grant
      const next = rotates ? successor(grantId, token) : token
      // Only now, when nothing can be wrong with the request any more: a refusal must not cost the token.
      const replaced =
        rotates && (await store.replaceRefresh(db, grantId, digestOf(token), digestOf(next), now()))
      // Replaced before, and good for a while yet; or not good at all.
      if (rotates && !replaced) await usable(client, token)
      if (!rotates) usage.grant(grantId)
      const issued = await minted({
        ...{ ...entitlement, client, grantId, accountId, subject, authenticatedAt, actors, audience: aud },
      })
      return { ...issued, refreshToken: next }
    },
    grantsOf: (vo, accountId) => store.selectGrants(db, vo, accountId, now()),
    async revokeGrant(vo, accountId, id, by) {
      await changing(vo, id, async (tx) => {
        const [gone] = await store.revokeGrants(tx, { vo, accountId, id }, 'taken back', now())
        if (!gone) throw e.grantMissing('There is no such permission, or it is over.')
        await ended(tx, vo, [gone], 'taken back', by)
        await store.dropConsent(tx, accountId, vo, gone.clientId)
      })
    },
    async revokeGrants({ vo, accountId }, by) {
      return changing(vo, by, (tx) => self.revokeOf(tx, { vo, accountId }, 'all taken back', by))
    },
    async revokeRefreshToken(client, token) {
      const grant = await familyOf(client, token)
      if (!grant) return false
      await changing(client.vo, grant.id, (tx) => self.revokeAll(tx, grant, 'given back by its client'))
      return true
    },
    async inspectRefreshToken(client, token) {
      const grant = await familyOf(client, token)
      const good = grant?.present && !grant.revokedAt && grant.expiresAt > now()
      return good ? { ...grant, clientName: client.name } : undefined
    },
    async revokeOf(tx, { vo, accountId }, reason, by) {
      const gone = await store.revokeGrants(tx, { vo, accountId }, reason, now())
      await ended(tx, vo, gone, reason, by)
      for (const { clientId } of gone) await store.dropConsent(tx, accountId, vo, clientId)
      return gone.length
    },
    async revokeAll(tx, { vo, id }, reason) {
      await store.lockGrant(tx, id)
      await ended(tx, vo, await store.revokeGrants(tx, { vo, id }, reason, now()), reason, 'grid')
      await voided(tx, id)
    },
  }
  return self
}

const isOf = (grant: Family, client: Client) => grant.vo === client.vo && grant.clientId === client.id

/** The name of its family comes with a token, so that it is found without an index over secrets. */
const refreshToken = (grantId: string, secret: string) => `krt_${grantId.replaceAll('-', '')}_${secret}`

function grantIn(token: string): string | undefined {
  return /^krt_([0-9a-f]{32})_[\w-]{43}$/.exec(token)?.[1]
}
