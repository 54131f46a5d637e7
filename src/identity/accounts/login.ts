import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { audienceOf } from '../tokens/audience.ts'
import type { Client } from '../tokens/client.ts'
import { entitled } from '../tokens/entitlement.ts'
import type { GrantBook, Issued } from '../tokens/grants.ts'
import type { Holders } from '../tokens/holders.ts'
import type { MintedToken, Minter } from '../tokens/mint.ts'
import type { ScopePolicyBook } from '../tokens/scope-policies.ts'
import { ANY_AUDIENCE } from '../tokens/token.ts'
import { LOGIN_SCOPES } from '../tokens/vocabulary.ts'
import { createLimits } from './limits.ts'
import * as store from './login.store.ts'
import { digestOf, passwordMatches } from './secrets.ts'

export interface LoginOptions {
  readonly lifetimeSeconds?: number
  /** Narrows the token to these; everything the account may do when absent. */
  readonly scopes?: readonly string[]
}

export interface PasswordRequest {
  readonly vo: string
  readonly username: string
  readonly password: string
  /** Needed when the user name maps to several accounts. */
  readonly account?: string
  /** Address of the caller, for the rate limit. */
  readonly peer?: string
}

export interface LoginRequest extends LoginOptions, PasswordRequest {}

export interface LoginResult extends MintedToken {
  readonly account: string
  readonly accountId: number
}

export interface Logins {
  /** The account that the password opens; throws login_failed, account_choice_needed, login_rate_limited. */
  checkPassword(request: PasswordRequest): Promise<{ accountId: number }>
  /** Logs in by password; throws as `checkPassword`. */
  login(request: LoginRequest): Promise<LoginResult>
  /** The token of a user as at login: any audience, groups, every storage right of the account. */
  mintForAccount(accountId: number, options?: LoginOptions): Promise<LoginResult>
  /** The tokens of somebody who has just logged in at a program of the grid; a refresh token if they ask for one. */
  loginTokens(request: {
    client: Client
    accountId: number
    scopes: readonly string[]
    audience: readonly string[]
  }): Promise<Issued>
  createLoginCode(accountId: number): Promise<{ code: string; expiresAt: Date }>
  /** The account behind a login code, once; throws login_failed. */
  takeLoginCode(vo: string, code: string): Promise<{ accountId: number }>
}

const TOKEN_SECONDS = 3600
const CODE_MS = 600_000
/** For one user name at one address: a program with a wrong password shuts out nobody but itself. */
const MOST_FAILURES = 10
/** For one address, behind which many people may sit: twenty such programs. */
const MOST_FAILURES_OF_PEER = 200
/** For one user name at all addresses together, against guessing from many. */
const MOST_FAILURES_OF_USER = 300

export function createLogins(
  context: Context,
  deps: { holders: Holders; minter: Minter; grants: GrantBook; policies: ScopePolicyBook },
): Logins {
  const { db, ids, now } = context
  const { holders, minter, grants, policies } = deps
  const limits = createLimits(context)
  const self: Logins = {
    async checkPassword({ vo, username, password, account, peer }) {
      const user = `user ${vo}/${username}`
      const here = `${user} at ${peer ?? 'no address'}`
      const opened = () => openedAccounts(db, vo, username, password)
      const ofUser = () => limits.within(user, MOST_FAILURES_OF_USER, opened)
      const ofPeer = () => (peer ? limits.within(`peer ${peer}`, MOST_FAILURES_OF_PEER, ofUser) : ofUser())
      // The narrowest first, so that whoever is refused there is in nobody else's way.
      const accounts = await limits.within(here, MOST_FAILURES, ofPeer)
      await store.forgetFailures(db, here)
      return { accountId: chosen(accounts, username, account).id }
    },
    async login({ lifetimeSeconds, scopes, ...request }) {
      const { accountId } = await self.checkPassword(request)
      return self.mintForAccount(accountId, {
        ...(lifetimeSeconds !== undefined && { lifetimeSeconds }),
        ...(scopes && { scopes }),
      })
    },
    async mintForAccount(accountId, { lifetimeSeconds = TOKEN_SECONDS, scopes } = {}) {
      const holder = await holders.of(accountId)
      const asked = scopes?.length ? scopes : LOGIN_SCOPES
      const minted = await minter.mint({
        ...{ vo: holder.vo, accountId, lifetimeSeconds, audience: [ANY_AUDIENCE], authenticatedAt: now() },
        ...(await entitled(policies, { holder, client: null, asked })),
      })
      return { ...minted, account: holder.name, accountId }
    },
    async loginTokens({ client, accountId, scopes, audience }) {
      const holder = await holders.of(accountId)
      const asked = scopes.length > 0 ? scopes : LOGIN_SCOPES
      const entitlement = await entitled(policies, { holder, client, asked })
      return grants.issue({
        ...{ client, accountId, grantId: ids.uuid(), authenticatedAt: now() },
        ...{ scopes: entitlement.scopes, audience: audienceOf(client, audience) },
      })
    },
    async createLoginCode(accountId) {
      const code = ids.secret(24)
      const expiresAt = new Date(now().getTime() + CODE_MS)
      await store.insertLoginCode(db, digestOf(code), accountId, expiresAt)
      return { code, expiresAt }
    },
    async takeLoginCode(vo, code) {
      const taken = await store.takeLoginCode(db, vo, digestOf(code), now())
      if (!taken) {
        throw e.loginFailed('The login code is wrong, used or older than ten minutes; ask for a new one.')
      }
      return { accountId: taken.id }
    },
  }
  return self
}

/** The accounts that user name and password open; throws login_failed. */
async function openedAccounts(
  db: Context['db'],
  vo: string,
  username: string,
  password: string,
): Promise<store.Candidate[]> {
  const candidates = await store.selectCandidates(db, vo, username)
  const hashes = [...new Set(candidates.flatMap(({ hash }) => hash ?? []))]
  const right = new Set<string>()
  // Unknown names cost as much time as known ones.
  for (const hash of hashes.length > 0 ? hashes : [null]) {
    if ((await passwordMatches(password, hash)) && hash) right.add(hash)
  }
  // An account without a password of its own shares the user name's only one.
  const opened = candidates.filter(({ hash }) =>
    hash ? right.has(hash) : hashes.length === 1 && right.size === 1,
  )
  if (opened.length === 0) throw e.loginFailed('User name or password is wrong.')
  return opened
}

function chosen(
  accounts: readonly store.Candidate[],
  username: string,
  named: string | undefined,
): store.Candidate {
  if (named !== undefined) {
    const account = accounts.find(({ name }) => name === named)
    if (!account) throw e.loginFailed(`${username} may not act as ${named}.`)
    return account
  }
  const only = accounts.length === 1 ? accounts[0] : accounts.find(({ isDefault }) => isDefault)
  if (!only) {
    throw e.accountChoiceNeeded('Name one of your accounts.', { accounts: accounts.map(({ name }) => name) })
  }
  return only
}
