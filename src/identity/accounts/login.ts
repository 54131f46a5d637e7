import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { AfterLogin } from '../policy/after-login.ts'
import { formatScope } from '../tokens/scope.ts'
import { ANY_AUDIENCE } from '../tokens/token.ts'
import { type MintedToken, narrowed, type Tokens } from '../tokens/tokens.ts'
import * as store from './login.store.ts'
import { digestOf, passwordMatches } from './secrets.ts'
import { createTurnstile } from './turnstile.ts'

export interface LoginOptions {
  readonly lifetimeSeconds?: number
  /** Narrows the token to these; everything the account may do when absent. */
  readonly scopes?: readonly string[]
}

export interface LoginRequest extends LoginOptions {
  readonly vo: string
  readonly username: string
  readonly password: string
  /** Needed when the user name maps to several accounts. */
  readonly account?: string
  /** Address of the caller, for the rate limit. */
  readonly peer?: string
}

export interface LoginResult extends MintedToken {
  readonly account: string
  readonly accountId: number
}

export interface Logins {
  /** Logs in by password; throws login_failed, account_choice_needed, login_rate_limited. */
  login(request: LoginRequest): Promise<LoginResult>
  /** The token of a user as at login: any audience, groups, every storage right of the account. */
  mintForAccount(accountId: number, options?: LoginOptions): Promise<LoginResult>
  createLoginCode(accountId: number): Promise<{ code: string; expiresAt: Date }>
  redeemLoginCode(vo: string, code: string, options?: LoginOptions): Promise<LoginResult>
}

/** What the token of a login carries at most: that of an administrator. */
export const LOGIN_SCOPES: readonly string[] = [
  'grid',
  'storage.read:/',
  'storage.modify:/',
  'storage.stage:/',
]

/** Failures are counted over this long. */
export const LOGIN_WINDOW_MS = 300_000
const TOKEN_SECONDS = 3600
const CODE_MS = 600_000
/** For one user name at one address: a program with a wrong password shuts out nobody but itself. */
const MOST_FAILURES = 10
/** For one address, behind which many people may sit: twenty such programs. */
const MOST_FAILURES_OF_PEER = 200
/** For one user name at all addresses together, against guessing from many. */
const MOST_FAILURES_OF_USER = 300

export function createLogins(context: Context, tokens: Tokens, afterLogin: AfterLogin): Logins {
  const { db, ids, log, now } = context
  const turnstile = createTurnstile()
  /** Within the limit of this key; counts the failure if the attempt is one. */
  const limited = <T>(key: string, most: number, attempt: () => Promise<T>): Promise<T> => {
    const since = new Date(now().getTime() - LOGIN_WINDOW_MS)
    const refuse = () => {
      log.warn({ limit: key }, 'too many failed logins')
      throw e.tooManyLogins('Too many failed logins; wait five minutes.', {
        retryAfterSeconds: LOGIN_WINDOW_MS / 1000,
      })
    }
    return turnstile.pass(key, { most, failures: () => store.failuresOf(db, key, since), refuse }, () =>
      attempt().catch(async (error) => {
        if (error?.code === 'login_failed') await store.countFailure(db, key, since, now())
        throw error
      }),
    )
  }
  const self: Logins = {
    async login({ vo, username, password, account, peer, ...options }) {
      const user = `user ${vo}/${username}`
      const here = `${user} at ${peer ?? 'no address'}`
      const opened = () => openedAccounts(db, vo, username, password)
      const ofUser = () => limited(user, MOST_FAILURES_OF_USER, opened)
      const ofPeer = () => (peer ? limited(`peer ${peer}`, MOST_FAILURES_OF_PEER, ofUser) : ofUser())
      // The narrowest first, so that whoever is refused there is in nobody else's way.
      const accounts = await limited(here, MOST_FAILURES, ofPeer)
      await store.forgetFailures(db, here)
      return self.mintForAccount(chosen(accounts, username, account).id, options)
    },
    async mintForAccount(accountId, { lifetimeSeconds = TOKEN_SECONDS, scopes } = {}) {
      const { vo, account, groups, scopes: most } = await afterLogin(accountId)
      const minted = await tokens.mint({
        ...{ vo, accountId, groups },
        scopes: narrowed(most.map(formatScope), scopes),
        audience: [ANY_AUDIENCE],
        lifetimeSeconds,
      })
      return { ...minted, account: account!, accountId }
    },
    async createLoginCode(accountId) {
      const code = ids.secret(24)
      const expiresAt = new Date(now().getTime() + CODE_MS)
      await store.insertLoginCode(db, digestOf(code), accountId, expiresAt)
      return { code, expiresAt }
    },
    async redeemLoginCode(vo, code, options) {
      const taken = await store.takeLoginCode(db, vo, digestOf(code), now())
      if (!taken) {
        throw e.loginFailed('The login code is wrong, used or older than ten minutes; ask for a new one.')
      }
      return self.mintForAccount(taken.id, options)
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
