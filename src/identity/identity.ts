import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { SignJWT } from 'jose'
import type pg from 'pg'
import { type Db, type Tx, transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock, Ids } from '../kernel/ports.ts'
import type { Worker } from '../kernel/workers.ts'
import type { Action, Resource } from './actions.ts'
import { decide, defaultRules } from './decide.ts'
import * as e from './errors.ts'
import type { Rule } from './identity.store.ts'
import * as store from './identity.store.ts'
import type { Principal } from './principal.ts'
import { formatScope, formatScopes, intersect, normalise, parseScope } from './scope.ts'
import { digestMatches, digestOf, hashPassword, passwordMatches, seal, unseal } from './secrets.ts'
import { ANY_AUDIENCE, importKey, tokenChecker } from './token.ts'
import type { JwksDocument } from './token-verifier.ts'

export interface IdentityOptions {
  readonly db: Db
  readonly pool: pg.Pool
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** `https://localhost:7443`: the issuer of VO `demo` is `<issuerBase>/iam/demo`. */
  readonly issuerBase: string
  /** 32 bytes kept outside the database. */
  readonly sealKey: Uint8Array
}

export type AccountKind = 'USER' | 'GROUP' | 'SERVICE'
export type AccountStatus = 'ACTIVE' | 'SUSPENDED' | 'DELETED'
export type IdentityKind = 'USERPASS' | 'OIDC' | 'X509' | 'SSH'

export interface Account {
  readonly id: number
  readonly uuid: string
  readonly vo: string
  readonly name: string
  readonly kind: AccountKind
  readonly status: AccountStatus
  readonly email: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly suspendedAt: Date | null
  readonly deletedAt: Date | null
}

export interface NewAccount {
  readonly vo: string
  readonly name: string
  readonly kind?: AccountKind
  readonly email?: string | null
}

export interface AccountIdentity {
  readonly accountId: number
  readonly kind: IdentityKind
  readonly identity: string
  readonly isDefault: boolean
}

export interface NewAccountIdentity {
  readonly accountId: number
  readonly kind: IdentityKind
  readonly identity: string
  readonly password?: string
  readonly isDefault?: boolean
}

export interface MintRequest {
  readonly vo: string
  /** The account on whose behalf the token acts; null for a token of the grid itself. */
  readonly accountId: number | null
  /** Defaults to the account's uuid. */
  readonly subject?: string
  /** Canonical scope texts; storage paths are checked. */
  readonly scopes: readonly string[]
  readonly groups?: readonly string[]
  readonly audience: readonly string[]
  readonly lifetimeSeconds: number
}

export interface MintedToken {
  readonly token: string
  readonly expiresAt: Date
  readonly tokenId: string
  /** What it permits, canonical. */
  readonly scopes: readonly string[]
}

export interface LoginRequest {
  readonly vo: string
  readonly username: string
  readonly password: string
  /** Needed when the user name maps to several accounts. */
  readonly account?: string
  /** Address of the caller, for the rate limit. */
  readonly peer?: string
  /** Narrows the token to these; everything the account may do when absent. */
  readonly scopes?: readonly string[]
  readonly lifetimeSeconds?: number
}

export interface LoginOptions {
  readonly lifetimeSeconds?: number
  readonly scopes?: readonly string[]
}

export interface LoginResult extends MintedToken {
  readonly account: string
  readonly accountId: number
}

export interface Client {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  readonly grants: readonly string[]
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly enabled: boolean
}

export interface NewClient {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  /** The most the client may ask for. */
  readonly scopes: readonly string[]
  readonly audiences?: readonly string[]
  readonly grants?: readonly string[]
  /** Kept if given (at least 24 characters), made otherwise. */
  readonly secret?: string
}

/** Everything the rest of the grid asks of identity. */
export interface Identity {
  issuer(vo: string): string
  /** The VO's public keys: all that are not retired. */
  jwks(vo: string): Promise<JwksDocument>
  rotateSigningKeys(now: Date): Promise<{ created: number }>
  readonly workers: readonly Worker[]

  verify(token: string, accept: { audience: readonly string[] }): Promise<Principal>
  /** As `verify`, whatever the audience: for introspection and revocation, never to let somebody in. */
  inspect(token: string): Promise<Principal>
  mint(request: MintRequest): Promise<MintedToken>
  /** Logs in by password; throws login_failed, account_choice_needed, login_rate_limited. */
  login(request: LoginRequest): Promise<LoginResult>
  /** The token of a user as at login: any audience, groups, every storage right of the account. */
  mintForAccount(accountId: number, options?: LoginOptions): Promise<LoginResult>
  createLoginCode(accountId: number): Promise<{ code: string; expiresAt: Date }>
  redeemLoginCode(vo: string, code: string, options?: LoginOptions): Promise<LoginResult>
  /** Refuses the token everywhere on the server from now on. */
  revoke(tokenId: string, expiresAt: Date): Promise<void>
  /** A token for a client that `authenticateClient` let in. */
  clientToken(request: {
    client: Client
    scopes?: readonly string[]
    audience?: readonly string[]
  }): Promise<MintedToken>
  /** The client, if the secret is right; throws invalid_client. */
  authenticateClient(vo: string, clientId: string, secret: string): Promise<Client>

  /** Throws `denied` unless a policy allows the action and the token's scopes reach it. */
  authorize(principal: Principal, action: Action, resource: Resource): void
  /** The same decision with its reason, without throwing. */
  explain(principal: Principal, action: Action, resource: Resource): { allow: boolean; reason: string }
  /** Forgets cached policies, accounts and keys; call when topic `identity` wakes. */
  reload(): Promise<void>

  createVo(vo: { id: string; title: string; storagePrefix?: string }): Promise<{ created: boolean }>
  listVos(): Promise<{ id: string; title: string; storagePrefix: string }[]>
  createAccounts(accounts: readonly NewAccount[]): Promise<Account[]>
  accounts(vo: string, names: readonly string[]): Promise<Account[]>
  accountsById(ids: readonly number[]): Promise<Account[]>
  listAccounts(
    vo: string,
    filter?: { kind?: AccountKind; identity?: string; attributes?: Readonly<Record<string, string>> },
  ): Promise<Account[]>
  /** The account of that name; throws account_missing. */
  account(vo: string, name: string): Promise<Account>
  updateAccount(
    id: number,
    change: { status?: AccountStatus; email?: string | null; kind?: AccountKind },
  ): Promise<Account>
  attributes(accountIds: readonly number[]): Promise<Map<number, Record<string, string>>>
  setAttributes(accountId: number, attributes: Readonly<Record<string, string>>): Promise<void>
  deleteAttributes(accountId: number, keys: readonly string[]): Promise<void>
  addIdentities(identities: readonly NewAccountIdentity[]): Promise<void>
  removeIdentity(accountId: number, kind: IdentityKind, identity: string): Promise<void>
  identitiesOf(accountIds: readonly number[]): Promise<AccountIdentity[]>
  accountsOfIdentity(vo: string, kind: IdentityKind, identity: string): Promise<Account[]>
  setPassword(accountId: number, username: string, password: string): Promise<void>
  createGroups(vo: string, groups: readonly { path: string; optional?: boolean }[]): Promise<void>
  addMembers(vo: string, path: string, accountIds: readonly number[]): Promise<void>
  removeMembers(vo: string, path: string, accountIds: readonly number[]): Promise<void>
  groupsOf(accountIds: readonly number[]): Promise<Map<number, string[]>>
  /** Creates the client or, if it exists, replaces scopes, audiences and (when given) its secret. */
  putClient(client: NewClient): Promise<{ client: Client; secret: string | null }>
}

const CACHE_MS = 2000
const DAY_MS = 86_400_000
const KEY_SIGNS_MS = 30 * DAY_MS
const PUBLISH_AHEAD_MS = 4 * DAY_MS
const WINDOW_MS = 300_000
const MOST_FAILURES = 10
/** What the token of a login carries at most. */
export const LOGIN_SCOPES: readonly string[] = [
  'grid',
  'storage.read:/',
  'storage.modify:/',
  'storage.stage:/',
]

export function createIdentity(options: IdentityOptions): Identity {
  const { db, clock, ids, sealKey } = options
  const issuer = (vo: string) => `${options.issuerBase}/iam/${vo}`
  const now = () => clock.now()
  let rules: Rule[] = []
  let rulesAt = -Infinity
  const people = new Map<string, { at: number; facts: Promise<Facts> }>()
  const keys = new Map<string, { at: number; list: Promise<store.SealedKey[]> }>()
  const forget = () => {
    people.clear()
    rulesAt = -Infinity
  }
  const remember = <T>(map: Map<string, { at: number } & T>, key: string, make: () => T): T => {
    const known = map.get(key)
    if (known && now().getTime() - known.at < CACHE_MS) return known
    if (map.size > 5000) map.clear()
    const made = { at: now().getTime(), ...make() }
    map.set(key, made)
    return made
  }
  const freshRules = async (): Promise<void> => {
    if (now().getTime() - rulesAt < CACHE_MS) return
    rules = await store.selectRules(db)
    rulesAt = now().getTime()
  }
  const keysOf = (vo: string) => remember(keys, vo, () => ({ list: store.selectKeys(db, vo, now()) })).list
  const factsOf = async (vo: string, name: string | null, jti: string): Promise<Facts> => {
    const account = name === null ? undefined : (await store.accountsByName(db, vo, [name]))[0]
    const attributes = account ? await store.selectAttributes(db, [account.id]) : []
    return {
      revoked: await store.isRevoked(db, jti),
      account,
      attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, value])),
    }
  }
  const voOf = (iss: string) => iss.slice(issuer('').length)
  const checker = tokenChecker({
    now,
    trusts: (iss) => iss.startsWith(issuer('')) && /^[a-z][a-z0-9-]{0,31}$/.test(voOf(iss)),
    async keyOf(iss, kid) {
      const found = (await keysOf(voOf(iss))).find((key) => key.kid === kid)
      return found && importKey({ ...found.jwk, kid })
    },
  })
  const notify = async (tx: Db, vo: string, subject: string) => {
    await publish(tx as Tx, now(), [{ vo, kind: 'identity.changed', subject }])
    forget()
  }
  const changing = async <T>(vo: string, subject: string, work: (tx: Db) => Promise<T>): Promise<T> => {
    const done = await transaction(db, async (tx) => {
      const result = await work(tx)
      await notify(tx, vo, subject)
      return result
    })
    forget()
    return done
  }
  const accountOf = async (id: number): Promise<Account> => {
    const [account] = await store.accountsById(db, [id])
    if (!account) throw e.accountMissing(`There is no account ${id}.`)
    return account
  }
  const grouped = <T>(
    list: readonly { id: number }[],
    empty: () => T,
    add: (into: T, row: never) => void,
  ) => {
    const map = new Map<number, T>()
    for (const row of list) {
      const into = map.get(row.id) ?? empty()
      add(into, row as never)
      map.set(row.id, into)
    }
    return map
  }

  const principalOf = async (token: string, audience: readonly string[] | 'any'): Promise<Principal> => {
    const claims = await checker.check(token, audience)
    const vo = voOf(claims.iss)
    const key = `${claims.jti} ${vo} ${claims.account}`
    const { facts } = remember(people, key, () => ({ facts: factsOf(vo, claims.account, claims.jti) }))
    const { revoked, account, attributes } = await facts.catch((error) => {
      people.delete(key)
      throw error
    })
    await freshRules()
    if (revoked) throw e.invalidToken('The token was revoked; log in again.')
    if (claims.account !== null && account?.status !== 'ACTIVE') {
      throw e.accountSuspended(`The account ${claims.account} is suspended or deleted.`)
    }
    return {
      kind: account?.kind === 'SERVICE' || !account ? 'service' : 'user',
      accountId: account?.id ?? null,
      account: claims.account,
      vo,
      issuer: claims.iss,
      subject: claims.sub,
      groups: claims.groups,
      attributes,
      scopes: claims.scopes,
      audience: claims.aud,
      tokenId: claims.jti,
      expiresAt: new Date(claims.exp * 1000),
    }
  }

  const self: Identity = {
    issuer,
    async jwks(vo) {
      const known = await keysOf(vo)
      if (known.length === 0) throw e.voMissing(`There is no VO ${vo} here.`)
      return { keys: known.map(({ jwk, kid }) => ({ ...jwk, kid, alg: 'ES256', use: 'sig' })) }
    },
    async rotateSigningKeys(at) {
      let created = 0
      for (const { id: vo } of await store.selectVos(db)) {
        await transaction(db, async (tx) => {
          await store.lockKeys(tx, vo)
          const newest = (await store.selectKeys(tx, vo, at)).at(-1)
          if (newest && newest.activeFrom.getTime() + KEY_SIGNS_MS - PUBLISH_AHEAD_MS > at.getTime()) return
          const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
          const activeFrom = new Date(at.getTime() + (newest ? PUBLISH_AHEAD_MS : 0))
          const sealed = seal(privateKey.export({ format: 'der', type: 'pkcs8' }), sealKey)
          const jwk = publicKey.export({ format: 'jwk' }) as Record<string, unknown>
          const retireAt = new Date(activeFrom.getTime() + KEY_SIGNS_MS + 6 * DAY_MS)
          await store.insertKey(tx, vo, { kid: ids.uuid(), jwk, sealed, activeFrom }, retireAt, at)
          created++
        })
      }
      keys.clear()
      return { created }
    },
    workers: [
      {
        name: 'identity-keys',
        wakeOn: ['identity'],
        async tick(at) {
          await self.rotateSigningKeys(at)
          return { changed: 0, nextWake: new Date(at.getTime() + 3600_000) }
        },
      },
    ],

    verify: (token, { audience }) => principalOf(token, audience),
    inspect: (token) => principalOf(token, 'any'),
    async mint(request) {
      const at = now()
      const signing = (await keysOf(request.vo)).filter((key) => key.activeFrom <= at).at(-1)
      if (!signing) throw e.keysUnavailable(`VO ${request.vo} has no signing key yet; try again.`)
      const account = request.accountId === null ? undefined : await accountOf(request.accountId)
      if (account && account.status !== 'ACTIVE')
        throw e.accountSuspended(`The account ${account.name} is suspended.`)
      const tokenId = ids.uuid()
      const iat = Math.floor(at.getTime() / 1000)
      const exp = iat + Math.min(request.lifetimeSeconds, 6 * 3600)
      const scopes = normalise(request.scopes.map(parseScope))
      const token = await new SignJWT({
        'wlcg.ver': '1.0',
        scope: formatScopes(scopes),
        ...(request.groups?.length && { 'wlcg.groups': request.groups }),
        ...(account && { kumi_account: account.name }),
      })
        .setProtectedHeader({ alg: 'ES256', kid: signing.kid, typ: 'JWT' })
        .setIssuer(issuer(request.vo))
        .setSubject(request.subject ?? account?.uuid ?? 'kumihimo')
        .setAudience(request.audience.length === 1 ? request.audience[0]! : [...request.audience])
        .setIssuedAt(iat)
        .setNotBefore(iat - 60)
        .setExpirationTime(exp)
        .setJti(tokenId)
        .sign(createPrivateKey({ key: unseal(signing.sealed, sealKey), format: 'der', type: 'pkcs8' }))
      return { token, tokenId, expiresAt: new Date(exp * 1000), scopes: scopes.map(formatScope) }
    },
    async login({ vo, username, password, account, peer, ...options }) {
      const since = new Date(now().getTime() - WINDOW_MS)
      const limits = [
        [`user ${vo}/${username}`, MOST_FAILURES],
        [`peer ${peer}`, 5 * MOST_FAILURES],
      ] as const
      for (const [key, most] of limits) {
        if ((await store.failuresOf(db, key, since)) < most) continue
        throw e.tooManyLogins('Too many failed logins; wait five minutes.', {
          retryAfterSeconds: WINDOW_MS / 1000,
        })
      }
      const found = await store.accountsByIdentity(db, vo, 'USERPASS', username)
      const matches = await passwordMatches(password, found[0]?.hash)
      if (!matches) {
        for (const [key] of limits) await store.countFailure(db, key, since, now())
        throw e.loginFailed('User name or password is wrong.')
      }
      const chosen = account
        ? found.find((a) => a.name === account)
        : found.length === 1
          ? found[0]
          : found.find((a) => a.isDefault)
      if (!chosen && account) throw e.loginFailed(`${username} may not act as ${account}.`)
      if (!chosen)
        throw e.accountChoiceNeeded('Name one of your accounts.', { accounts: found.map((a) => a.name) })
      return self.mintForAccount(chosen.id, options)
    },
    async mintForAccount(accountId, { lifetimeSeconds = 3600, scopes } = {}) {
      const account = await accountOf(accountId)
      const groups = (await self.groupsOf([accountId])).get(accountId) ?? []
      const minted = await self.mint({
        vo: account.vo,
        accountId,
        groups,
        scopes: scopes?.length ? narrowed(LOGIN_SCOPES, scopes) : LOGIN_SCOPES,
        audience: [ANY_AUDIENCE],
        lifetimeSeconds,
      })
      return { ...minted, account: account.name, accountId }
    },
    async createLoginCode(accountId) {
      const code = ids.secret(24)
      const expiresAt = new Date(now().getTime() + 600_000)
      await store.insertLoginCode(db, digestOf(code), accountId, expiresAt)
      return { code, expiresAt }
    },
    async redeemLoginCode(vo, code, options) {
      const used = await store.takeLoginCode(db, vo, digestOf(code), now())
      if (!used)
        throw e.loginFailed('The login code is wrong, used or older than ten minutes; ask for a new one.')
      return self.mintForAccount(used.id, options)
    },
    async revoke(tokenId, expiresAt) {
      await store.insertRevoked(db, tokenId, expiresAt)
      forget()
    },
    async authenticateClient(vo, clientId, secret) {
      const client = await store.selectClient(db, vo, clientId)
      const right = digestMatches(secret, client?.hash ?? null)
      if (!client?.enabled || !right) throw e.invalidClient('The client or its secret is wrong.')
      const { hash: _hash, ...rest } = client
      return rest
    },
    async clientToken({ client, scopes, audience }) {
      const granted = scopes?.length ? narrowed(client.scopes, scopes) : client.scopes
      const asked = audience?.length ? audience : client.audiences.length ? client.audiences : [ANY_AUDIENCE]
      if (client.audiences.length && !asked.every((a) => client.audiences.includes(a))) {
        throw e.invalidScope('The client may not ask for this audience.')
      }
      return self.mint({
        vo: client.vo,
        accountId: client.accountId,
        subject: client.id,
        scopes: granted,
        audience: asked,
        lifetimeSeconds: 3600,
      })
    },
    explain: (principal, action, resource) => decide(rules, principal, action, resource),
    authorize(principal, action, resource) {
      const { allow, reason } = decide(rules, principal, action, resource)
      if (!allow) throw e.denied(`Not allowed: ${action} (${reason}).`, { action, reason })
    },
    async reload() {
      forget()
      keys.clear()
      await freshRules()
    },

    async createVo({ id, title, storagePrefix }) {
      const created = await changing(id, id, async (tx) => {
        const n = await store.insertVo(tx, { id, title, prefix: storagePrefix ?? `/${id}` }, now())
        if (n > 0) await store.insertRules(tx, defaultRules(id))
        return n > 0
      })
      await self.rotateSigningKeys(now())
      await self.reload()
      return { created }
    },
    listVos: () => store.selectVos(db),
    async createAccounts(list) {
      const made = await transaction(db, async (tx) => {
        const created = await store.insertAccounts(
          tx,
          list.map((a) => ({ ...a, uuid: ids.uuid() })),
          now(),
        )
        if (created.length < list.length) throw e.accountExists('An account of that name exists already.')
        return created
      })
      forget()
      return list.map((a) => made.find((m) => m.vo === a.vo && m.name === a.name)!)
    },
    accounts: (vo, names) => store.accountsByName(db, vo, names),
    accountsById: (list) => store.accountsById(db, list),
    async listAccounts(vo, filter = {}) {
      const all = await store.accountsByName(db, vo, null)
      const attributes = filter.attributes ? await self.attributes(all.map((a) => a.id)) : new Map()
      const withIdentity = filter.identity
        ? (
            await store.selectIdentities(
              db,
              all.map((a) => a.id),
            )
          )
            .filter((i) => i.identity === filter.identity)
            .map((i) => i.accountId)
        : null
      return all.filter(
        (a) =>
          (!filter.kind || a.kind === filter.kind) &&
          (!withIdentity || withIdentity.includes(a.id)) &&
          Object.entries(filter.attributes ?? {}).every(
            ([key, value]) => attributes.get(a.id)?.[key] === value,
          ),
      )
    },
    async account(vo, name) {
      const [account] = await store.accountsByName(db, vo, [name])
      if (!account) throw e.accountMissing(`There is no account "${name}" in ${vo}.`)
      return account
    },
    async updateAccount(id, change) {
      const before = await accountOf(id)
      return (await changing(before.vo, before.name, (tx) => store.updateAccount(tx, id, change, now())))!
    },
    attributes: async (list) =>
      grouped(
        await store.selectAttributes(db, list),
        (): Record<string, string> => ({}),
        (into, row: { key: string; value: string }) => {
          into[row.key] = row.value
        },
      ),
    async setAttributes(id, values) {
      const { vo, name } = await accountOf(id)
      await changing(vo, name, (tx) => store.putAttributes(tx, id, values))
    },
    async deleteAttributes(id, names) {
      const { vo, name } = await accountOf(id)
      await changing(vo, name, (tx) => store.dropAttributes(tx, id, names))
    },
    async addIdentities(list) {
      const hashed = []
      for (const { password, ...one } of list) {
        hashed.push({
          ...one,
          isDefault: one.isDefault ?? false,
          hash: password ? await hashPassword(password) : null,
        })
      }
      await store.putIdentities(db, hashed, now())
    },
    async removeIdentity(id, kind, name) {
      if ((await store.dropIdentity(db, id, kind, name)) === 0)
        throw e.identityMissing(`The account has no identity ${name}.`)
    },
    identitiesOf: (list) => store.selectIdentities(db, list),
    accountsOfIdentity: async (vo, kind, name) =>
      (await store.accountsByIdentity(db, vo, kind, name)).map(
        ({ hash: _hash, isDefault: _default, ...account }) => account,
      ),
    setPassword: (accountId, identity, password) =>
      self.addIdentities([{ accountId, kind: 'USERPASS', identity, password }]),
    async createGroups(vo, list) {
      await store.insertGroups(db, vo, list, now())
    },
    async addMembers(vo, path, list) {
      await store.insertMembers(db, vo, path, list, now())
    },
    async removeMembers(vo, path, list) {
      await store.dropMembers(db, vo, path, list)
    },
    groupsOf: async (list) =>
      grouped(
        await store.selectGroups(db, list, now()),
        (): string[] => [],
        (into, row: { path: string }) => {
          into.push(row.path)
        },
      ),
    async putClient(request) {
      const known = await store.selectClient(db, request.vo, request.id)
      const secret = request.secret ?? (known ? null : ids.secret(32))
      const client: Client = {
        id: request.id,
        vo: request.vo,
        accountId: request.accountId,
        enabled: true,
        scopes: request.scopes,
        audiences: request.audiences ?? [],
        grants: request.grants ?? ['client_credentials'],
      }
      const n = await store.putClient(
        db,
        { ...client, hash: secret && digestOf(secret).toString('base64url') },
        now(),
      )
      if (n === 0) throw e.invalidClient('A client of that name exists in another VO.')
      return { client, secret }
    },
  }
  return self
}

interface Facts {
  readonly revoked: boolean
  readonly account: Account | undefined
  readonly attributes: Record<string, string>
}

function narrowed(most: readonly string[], asked: readonly string[]): string[] {
  const granted = intersect(most.map(parseScope), asked.map(parseScope)).map(formatScope)
  if (granted.length === 0) throw e.invalidScope('None of these scopes may be asked for here.')
  return granted
}
