import { createAccounts } from '../accounts/accounts.ts'
import { createGroups } from '../accounts/groups.ts'
import { countFailure, failuresOf } from '../accounts/login.store.ts'
import { digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { confirmAddress } from './addresses.ts'
import {
  type MailTexts,
  registrationApproved,
  registrationConfirm,
  registrationRejected,
  registrationWaits,
} from './mail-texts.ts'
import { administratorAddresses, primaryAddresses, putLanguage } from './mails.store.ts'
import { post } from './mails.ts'
import { checkedEmail, checkedLines } from './names.ts'
import { usersOfEmails, verifyEmail } from './people.store.ts'
import { refuseTaken } from './people.ts'
import * as store from './requests.store.ts'
import { checkedMotivation, openRequest } from './requests.ts'
import { createSettings, type PeopleSettings } from './settings.ts'

export interface Registration {
  readonly vo: string
  readonly username: string
  readonly givenName: string
  readonly familyName: string
  readonly institute?: string
  readonly email: string
  readonly notes?: string
  /** Opens the account once it is approved. */
  readonly password?: string
  /** What mails to this person are written in; both languages when absent. */
  readonly language?: 'en' | 'ja'
  /** Address of the caller, for the rate limit. */
  readonly peer?: string
}

export interface Registrations {
  /**
   * Makes an account that can do nothing until somebody approves it. Throws registration_closed, account_exists,
   * email_taken, registration_rate_limited.
   */
  register(registration: Registration): Promise<store.MembershipRequest>
  /** Whether somebody who registers could have this name or address; as limited as registering itself. */
  nameIsFree(vo: string, name: { username: string } | { email: string }, peer: string): Promise<boolean>
  /** The link of the confirmation e-mail was used; throws request_missing for a wrong or used one. */
  confirmRegistration(vo: string, secret: string): Promise<store.MembershipRequest>
  /** The same for an address that came into a profile later. */
  confirmAddress(vo: string, secret: string): Promise<{ username: string; address: string }>
  approveRegistration(vo: string, requestId: string, by: string): Promise<store.MembershipRequest>
  /** The account goes, and its name and address are free again. */
  rejectRegistration(
    vo: string,
    requestId: string,
    motivation: string,
    by: string,
  ): Promise<store.MembershipRequest>
  /** Rejects registrations whose address nobody confirmed in a week. */
  dropStaleRegistrations(now: Date): Promise<number>
}

const WINDOW_MS = 300_000
const MOST_OF_PEER = 20
const MOST_OPEN = 2000
const STALE_MS = 7 * 86_400_000
const LONGEST_NOTES = 4000

export function createRegistrations(context: Context): Registrations {
  const { db, ids, now, issuer, changing } = context
  const self: Registrations = {
    async register({ peer, notes = '', email, password, language, ...person }) {
      const { vo, username } = person
      const settings = await createSettings(context).peopleSettings(vo)
      if (!settings.registrationOpen) {
        throw e.registrationClosed(
          `${vo} takes no registrations here; ask its managers to make you a member.`,
        )
      }
      await limitPeer(context, peer)
      const address = checkedEmail(email)
      if (person.givenName.trim() === '' || person.familyName.trim() === '') {
        throw e.invalidProfile('Tell us your given name and your family name.')
      }
      const secret = ids.secret(24)
      const id = ids.uuid()
      await changing(vo, username, async (tx) => {
        if ((await store.openRegistrations(tx, vo)) >= MOST_OPEN) {
          throw e.tooManyRegistrations(`${vo} has too many open registrations; try again in some days.`)
        }
        await refuseTaken(tx, vo, [{ address }], null)
        // A user name opens every account that lists it: a stranger's password must not.
        if (await store.userNameTaken(tx, vo, username)) {
          throw e.accountExists(`The user name "${username}" is taken.`)
        }
        const accounts = createAccounts(context.within(tx))
        const account = { ...person, name: username, email: address, status: 'PENDING' } as const
        const [made] = await accounts.createAccounts([account], username)
        const accountId = made!.id
        if (language) await putLanguage(tx, accountId, language)
        if (password !== undefined) {
          const identity = { accountId, kind: 'USERPASS', identity: username, password } as const
          await accounts.addIdentities([identity], username)
        }
        const state = settings.confirmEmail ? 'NEW' : 'CONFIRMED'
        const request = {
          ...({ id, vo, accountId, username, state, kind: 'registration', groupId: null } as const),
          notes: checkedLines('notes', notes, LONGEST_NOTES),
          confirmation: settings.confirmEmail ? digestOf(secret) : null,
        }
        await store.insertRequest(tx, request, now())
        await context.audit(tx, {
          ...{ vo, actor: username, action: 'registration.made', target: username },
          detail: { request: id },
        })
        if (settings.confirmEmail) {
          const link = `${issuer(vo)}/registration/verify/${secret}`
          const texts = registrationConfirm(vo, username, link)
          const mail = { vo, accountId, recipient: address, kind: 'registration.confirm', texts }
          await post(tx, now(), [mail])
        } else await tellAdministrators(context, tx, vo, username)
      })
      return (await store.selectRequest(db, vo, id))!
    },
    async nameIsFree(vo, name, peer) {
      await openSettings(context, vo)
      await limitPeer(context, peer)
      if ('email' in name) return (await usersOfEmails(db, vo, [checkedEmail(name.email)], null)).length === 0
      const known = await createAccounts(context).accounts(vo, [name.username])
      return known.length === 0 && !(await store.userNameTaken(db, vo, name.username))
    },
    async confirmRegistration(vo, secret) {
      const confirmed = await changing(vo, vo, async (tx) => {
        const found = await store.confirmRequest(tx, vo, digestOf(secret), now())
        if (!found) {
          throw e.requestMissing('This link was used already or is too old; ask for a new registration.')
        }
        const { accountId, username } = found
        await verifyEmail(tx, accountId, now())
        await context.audit(tx, { vo, actor: username, action: 'registration.confirmed', target: username })
        await tellAdministrators(context, tx, vo, username)
        return found
      })
      return (await store.selectRequest(db, vo, confirmed.id))!
    },
    confirmAddress: (vo, secret) => changing(vo, vo, (tx) => confirmAddress(context.within(tx), vo, secret)),
    async approveRegistration(vo, requestId, by) {
      const request = await openRequest(context, vo, requestId, 'registration')
      const { accountId, username } = request
      const { defaultGroups } = await createSettings(context).peopleSettings(vo)
      await changing(vo, username, async (tx) => {
        await decide(tx, requestId, 'APPROVED', by, '')
        await store.approveAccount(tx, accountId!, now())
        const groups = createGroups(context.within(tx))
        for (const path of [`/${vo}`, ...defaultGroups]) {
          await groups.addMembers(vo, path, [accountId!], { origin: 'vo', by })
        }
        const entry = { vo, actor: by, action: 'registration.approved', target: username }
        await context.audit(tx, { ...entry, detail: { request: requestId } })
        await tell(context, tx, vo, accountId!, 'registration.approved', registrationApproved(vo, username))
      })
      return (await store.selectRequest(db, vo, requestId))!
    },
    async rejectRegistration(vo, requestId, motivation, by) {
      const { accountId, username } = await openRequest(context, vo, requestId, 'registration')
      const reason = checkedMotivation(motivation)
      await changing(vo, username, async (tx) => {
        await decide(tx, requestId, 'REJECTED', by, reason)
        const entry = { vo, actor: by, action: 'registration.rejected', target: username }
        await context.audit(tx, { ...entry, detail: { request: requestId, motivation: reason } })
        const texts = registrationRejected(vo, username, reason)
        await tell(context, tx, vo, accountId!, 'registration.rejected', texts)
        await store.dropPendingAccount(tx, accountId!)
      })
      return (await store.selectRequest(db, vo, requestId))!
    },
    async dropStaleRegistrations(at) {
      const stale = await store.staleRegistrations(db, new Date(at.getTime() - STALE_MS))
      for (const { vo, id } of stale) {
        await self.rejectRegistration(vo, id, 'The e-mail address was not confirmed within a week.', 'grid')
      }
      return stale.length
    },
  }
  const decide = async (
    tx: Context['db'],
    id: string,
    state: 'APPROVED' | 'REJECTED',
    by: string,
    motivation: string,
  ) => {
    const decided = await store.decideRequest(tx, id, { state, by, motivation }, now())
    if (decided === 0) throw e.requestDecided('Somebody else decided this request just now.')
  }
  return self
}

async function openSettings(context: Context, vo: string): Promise<PeopleSettings> {
  const settings = await createSettings(context).peopleSettings(vo)
  if (settings.registrationOpen) return settings
  throw e.registrationClosed(`${vo} takes no registrations here; ask its managers to make you a member.`)
}

async function limitPeer({ db, now }: Context, peer: string | undefined): Promise<void> {
  if (peer === undefined) return
  const key = `registration ${peer}`
  const since = new Date(now().getTime() - WINDOW_MS)
  if ((await failuresOf(db, key, since)) >= MOST_OF_PEER) {
    throw e.tooManyRegistrations('Too many registrations from your address; wait five minutes.', {
      retryAfterSeconds: WINDOW_MS / 1000,
    })
  }
  await countFailure(db, key, since, now())
}

async function tell(
  { now }: Context,
  tx: Context['db'],
  vo: string,
  accountId: number,
  kind: string,
  texts: MailTexts,
): Promise<void> {
  const addresses = await primaryAddresses(tx, [accountId])
  await post(
    tx,
    now(),
    addresses.map((to) => ({ ...to, vo, kind, texts })),
  )
}

async function tellAdministrators(context: Context, tx: Context['db'], vo: string, username: string) {
  const addresses = await administratorAddresses(tx, vo)
  const texts = registrationWaits(vo, username)
  const kind = 'registration.waits'
  await post(
    tx,
    context.now(),
    addresses.map((to) => ({ ...to, vo, kind, texts })),
  )
}
