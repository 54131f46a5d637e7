import { isGridError } from '../../kernel/errors.ts'
import { createAccounts } from '../accounts/accounts.ts'
import { createLimits } from '../accounts/limits.ts'
import { countFailure, failuresOf, selectCandidates } from '../accounts/login.store.ts'
import type { Logins } from '../accounts/login.ts'
import { digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { GrantBook } from '../tokens/grants.ts'
import { refuseUnlessGood } from '../tokens/holders.ts'
import { deleteSessions } from '../tokens/sessions.store.ts'
import { passwordChanged, passwordReset } from './mail-texts.ts'
import { PASSWORD_LINK, primaryAddresses } from './mails.store.ts'
import { post } from './mails.ts'
import * as store from './passwords.store.ts'
import { selectStandings } from './standing.store.ts'
import { standing } from './standing.ts'

export interface PasswordChange {
  readonly vo: string
  readonly accountId: number
  /** Empty for somebody who has none yet. */
  readonly present: string
  readonly next: string
  /** The console session in which it is done; null for programs. It stays, and a fresh one may set the first password. */
  readonly session: { readonly id: string; readonly since: Date } | null
  /** Address of the caller, for the rate limit. */
  readonly peer?: string
}

export interface Passwords {
  /** Whether a password opens the account under its own name. */
  hasPassword(accountId: number): Promise<boolean>
  /**
   * Somebody changes the own password; their other sessions end. Throws password_wrong, login_rate_limited,
   * fresh_login_needed, invalid_password, password_from_home.
   */
  changePassword(change: PasswordChange): Promise<void>
  /**
   * Somebody forgot it; `who` is a user name or an address. Whether there is such a person shows neither in the answer
   * nor in how long it takes. Throws password_reset_rate_limited.
   */
  askForPassword(vo: string, who: string, peer: string): Promise<void>
  /** The same, begun by somebody who looks after people; tells where the link goes. Throws address_missing, password_from_home. */
  sendPasswordLink(vo: string, name: string, by: string): Promise<{ recipient: string; expiresAt: Date }>
  /** Throws password_reset_missing for a link that is wrong, used or old. */
  checkPasswordLink(vo: string, secret: string, peer: string): Promise<void>
  /**
   * The password is set with the link: all sessions and lasting permissions end. Throws password_reset_missing,
   * invalid_password, and the code of a standing in which nobody may log in.
   */
  setForgottenPassword(request: {
    vo: string
    secret: string
    password: string
    peer: string
  }): Promise<{ username: string }>
  /** Without it links stay in the outbox, and somebody has to hand them over. */
  readonly sendsMail: boolean
}

const VALID_MS = 3600_000
/** Links that one account gets in an hour when a visitor asks. */
const MOST_LINKS = 3
const WINDOW_MS = 300_000
/** Questions from one address in five minutes. */
const MOST_OF_PEER = 20
/** Wrong links from one address. */
const MOST_WRONG_LINKS = 50
const FRESH_MS = 10 * 60_000
/** Longer than it takes to write a link down, so that known and unknown names take the same time. */
const ANSWER_MS = 400

export function createPasswords(
  context: Context,
  deps: {
    logins: Logins
    grants: GrantBook
    sendsMail: boolean
    fromHome: (vo: string, name: string) => boolean
  },
): Passwords {
  const { db, ids, now, issuer, changing } = context
  const { logins, grants, sendsMail, fromHome } = deps
  const limits = createLimits(context)
  const self: Passwords = {
    sendsMail,
    async hasPassword(accountId) {
      const { vo, name } = await standingFacts(context, accountId)
      return opens(await selectCandidates(db, vo, name), accountId)
    },
    async changePassword({ vo, accountId, present, next, session, peer }) {
      const { name } = await standingFacts(context, accountId)
      refuseFromHome(vo, name)
      const known = await self.hasPassword(accountId)
      if (known) {
        const request = { vo, username: name, account: name, password: present, ...(peer && { peer }) }
        await logins.checkPassword(request).catch((error) => {
          // Whoever is logged in already must not be told that the login is over.
          if (!isGridError(error, 'login_failed')) throw error
          throw e.passwordWrong('The present password is not right.')
        })
      } else if (!session || now().getTime() - session.since.getTime() > FRESH_MS) {
        throw e.freshLoginNeeded(
          `${name} has no password yet. Log in to the console again and set it within ten minutes, or ask for a link with "Forgot the password?" at its login.`,
        )
      }
      await changing(vo, name, async (tx) => {
        const detail = { first: !known }
        await settle(tx, { vo, id: accountId, name }, next, { keep: session?.id ?? null, detail })
      })
    },
    async askForPassword(vo, who, peer) {
      await limitPeer(context, peer)
      const asked = async () => {
        const found = await store.selectReachable(db, vo, who.trim())
        const { address } = found ?? {}
        if (!found || !address || fromHome(vo, found.name) || !(await mayLogIn(context, found.id))) return
        await changing(vo, found.name, async (tx) => {
          const since = new Date(now().getTime() - VALID_MS)
          if ((await store.linksSince(tx, found.id, since)) >= MOST_LINKS) return
          await send(tx, vo, { ...found, address }, { actor: found.name, detail: { from: peer } })
        })
      }
      await Promise.all([asked(), context.sleep(ANSWER_MS)])
    },
    async sendPasswordLink(vo, name, by) {
      const found = await store.selectReachable(db, vo, name)
      if (!found || found.name !== name) throw e.accountMissing(`There is no person "${name}" in ${vo}.`)
      refuseFromHome(vo, name)
      const { address } = found
      if (!address) throw e.addressMissing(`${name} has no address; add one first.`)
      await refuseStanding(context, found.id)
      return changing(vo, name, async (tx) => ({
        recipient: address,
        expiresAt: await send(tx, vo, { ...found, address }, { actor: by, detail: {} }),
      }))
    },
    checkPasswordLink: (vo, secret, peer) =>
      limits.within(`password link ${peer}`, MOST_WRONG_LINKS, async () => {
        if (!(await store.selectLink(db, vo, digestOf(secret), now()))) throw missing()
      }),
    async setForgottenPassword({ vo, secret, password, peer }) {
      // Before anything slow is done for whoever it is.
      await self.checkPasswordLink(vo, secret, peer)
      return changing(vo, vo, async (tx) => {
        const found = await store.takeLink(tx, vo, digestOf(secret), now())
        if (!found) throw missing()
        await refuseStanding(context.within(tx), found.id)
        await settle(tx, { vo, ...found }, password, { keep: null, revoke: true, detail: { link: true } })
        return { username: found.name }
      })
    },
  }
  const refuseFromHome = (vo: string, name: string): void => {
    if (!fromHome(vo, name)) return
    throw e.passwordFromHome(
      `The password of ${name} is in the file client/password of the grid's home: write another one there and start the server again.`,
    )
  }
  /** A link for this person, in the outbox; tells until when it is good. */
  const send = async (
    tx: Context['db'],
    vo: string,
    to: { id: number; name: string; address: string },
    by: { actor: string; detail: Record<string, unknown> },
  ): Promise<Date> => {
    const secret = ids.secret(24)
    const expiresAt = new Date(now().getTime() + VALID_MS)
    await store.insertLink(tx, digestOf(secret), to.id, now(), expiresAt)
    await context.audit(tx, { vo, ...by, action: 'password.link_sent', target: to.name })
    const texts = passwordReset(vo, to.name, `${issuer(vo)}/iam/password-reset/token/${secret}`)
    await post(tx, now(), [{ vo, accountId: to.id, recipient: to.address, kind: PASSWORD_LINK, texts }])
    return expiresAt
  }
  /** The new password, and the end of what the old one opened. */
  const settle = async (
    tx: Context['db'],
    { vo, id, name }: { vo: string; id: number; name: string },
    password: string,
    how: { keep: string | null; revoke?: boolean; detail: Record<string, unknown> },
  ): Promise<void> => {
    const candidates = await selectCandidates(tx, vo, name)
    if (candidates.length > 0 && !candidates.some((one) => one.id === id)) {
      throw e.identityExists(`The user name "${name}" opens another account; ask the managers of ${vo}.`)
    }
    await createAccounts(context.within(tx)).setPassword(id, name, password, name)
    const opened = [...new Set([id, ...candidates.map((one) => one.id)])]
    const sessions = await deleteSessions(tx, opened, how.keep)
    await store.closeLinks(tx, opened, now())
    let permissions = 0
    if (how.revoke) {
      for (const accountId of opened) {
        permissions += await grants.revokeOf(tx, { vo, accountId }, 'new password', name)
      }
    }
    await context.audit(tx, {
      ...{ vo, actor: name, action: 'password.changed', target: name },
      detail: { ...how.detail, sessions, ...(how.revoke && { permissions }) },
    })
    const addresses = await primaryAddresses(tx, [id])
    const news = { vo, kind: 'password.changed', texts: passwordChanged(vo, name) }
    await post(
      tx,
      now(),
      addresses.map((to) => ({ ...to, ...news })),
    )
  }
  return self
}

const missing = () =>
  e.passwordLinkMissing('This link was used already or is older than an hour; ask for a new one.')

/** A user name that is shared may have its password at another account. */
const opens = (candidates: readonly { id: number; hash: string | null }[], accountId: number): boolean =>
  candidates.some(({ id }) => id === accountId) && candidates.some(({ hash }) => hash !== null)

async function standingFacts({ db }: Context, accountId: number) {
  const [facts] = await selectStandings(db, [accountId])
  if (!facts) throw e.accountMissing(`There is no account ${accountId}.`)
  return facts
}

/** Throws the code of a standing that lets nobody in, not even to sign. */
async function refuseStanding(context: Context, accountId: number): Promise<void> {
  const stands = standing(await standingFacts(context, accountId), context.now())
  if (stands.state !== 'unsigned') refuseUnlessGood(stands)
}

const mayLogIn = async (context: Context, accountId: number): Promise<boolean> => {
  const { state } = standing(await standingFacts(context, accountId), context.now())
  return state === 'good' || state === 'unsigned'
}

async function limitPeer({ db, now }: Context, peer: string): Promise<void> {
  const key = `password question ${peer}`
  const since = new Date(now().getTime() - WINDOW_MS)
  if ((await failuresOf(db, key, since)) >= MOST_OF_PEER) {
    throw e.tooManyPasswordLinks('Too many questions from your address; wait five minutes.', {
      retryAfterSeconds: WINDOW_MS / 1000,
    })
  }
  await countFailure(db, key, since, now())
}
