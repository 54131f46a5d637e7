import type { Account } from '../accounts/account.ts'
import { type Accounts, accountOf, createAccounts } from '../accounts/accounts.ts'
import type { Group } from '../accounts/group.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { askAboutAddresses } from './addresses.ts'
import { groupFields, personFields, predicate } from './condition.store.ts'
import { type Condition, everybody, type Page, type Paged } from './condition.ts'
import { checkedEmail, checkedText, isUuid } from './names.ts'
import * as store from './people.store.ts'
import type { Email, Person } from './person.ts'

export type { Member } from './people.store.ts'

export interface NewPerson {
  readonly vo: string
  readonly username: string
  readonly kind?: 'USER' | 'SERVICE'
  readonly givenName?: string
  readonly familyName?: string
  readonly institute?: string
  /** The first one is the primary address unless another says so. */
  readonly emails?: readonly NewEmail[]
  readonly endTime?: Date | null
}

export interface NewEmail {
  readonly address: string
  readonly primary?: boolean
}

export interface ProfileChange {
  readonly givenName?: string
  readonly familyName?: string
  readonly institute?: string
}

export interface People {
  /** Throws account_exists, email_taken. */
  createPerson(person: NewPerson, by: string): Promise<Person>
  /** By user name, removed ones too; throws account_missing. */
  person(vo: string, username: string): Promise<Person>
  /** Throws account_missing, also for removed people. */
  personByUuid(vo: string, uuid: string): Promise<Person>
  peopleById(ids: readonly number[]): Promise<Person[]>
  /** Everybody the condition fits, by user name; throws invalid_filter. */
  searchPeople(vo: string, page: Page, condition?: Condition): Promise<Paged<Person>>
  searchGroups(vo: string, page: Page, condition?: Condition): Promise<Paged<Group>>
  membersOf(group: Pick<Group, 'id'>, page: Page): Promise<Paged<store.Member>>
  /** As `membersOf`, in the order of their names; `find` is a part of the name. */
  membersByName(group: Pick<Group, 'id'>, find: string, page: Page): Promise<Paged<store.Member>>
  /** All groups of a VO by path, each with the number of its members. */
  groupTree(vo: string): Promise<store.CountedGroup[]>
  changeProfile(accountId: number, change: ProfileChange, by: string): Promise<void>
  /** The whole list of addresses; new ones get a link to confirm them where the VO wants that. Throws email_taken. */
  setEmails(accountId: number, emails: readonly NewEmail[], by: string): Promise<void>
  /** When the membership ends; null: not at all. A later end takes back a suspension that the earlier one caused. */
  setEndTime(accountId: number, endTime: Date | null, by: string): Promise<void>
  /** At once and everywhere. */
  suspend(accountId: number, reason: string, by: string): Promise<Account>
  /** Also brings back somebody who was removed; an end of membership that has passed is forgotten. */
  restore(accountId: number, reason: string, by: string): Promise<Account>
  /** Leaves a tombstone: nobody else ever gets the name, the subject or the certificates. */
  removePerson(accountId: number, reason: string, by: string): Promise<Account>
}

const MOST_EMAILS = 20
const LONGEST_REASON = 1000

export function createPeople(context: Context, accounts: Accounts): People {
  const { db, now, changing } = context
  const missing = (vo: string, what: string) => e.accountMissing(`There is nobody "${what}" in ${vo}.`)
  const self: People = {
    async createPerson({ emails = [], username, ...rest }, by) {
      const list = checkedEmails(emails)
      const { vo } = rest
      return changing(vo, username, async (tx) => {
        if (rest.kind !== 'SERVICE') await refuseTaken(tx, vo, list, null)
        const [account] = await createAccounts(context.within(tx)).createAccounts(
          [{ ...rest, name: username }],
          by,
        )
        await store.putEmails(tx, account!.id, list)
        return (await store.peopleById(tx, [account!.id]))[0]!
      })
    },
    async person(vo, username) {
      const found = await store.personByName(db, vo, username)
      if (!found) throw missing(vo, username.slice(0, 60))
      return found
    },
    async personByUuid(vo, uuid) {
      const found = isUuid(uuid) ? await store.personByUuid(db, vo, uuid) : undefined
      if (!found) throw missing(vo, uuid.slice(0, 60))
      return found
    },
    peopleById: (ids) => store.peopleById(db, ids),
    async searchPeople(vo, page, condition = everybody) {
      const which = predicate(condition, personFields)
      const [total, items] = await Promise.all([
        store.countPeople(db, vo, which, now()),
        page.limit === 0 ? [] : store.selectPeople(db, vo, which, page, now()),
      ])
      return { total, items }
    },
    async searchGroups(vo, page, condition = everybody) {
      const which = predicate(condition, groupFields)
      const [total, items] = await Promise.all([
        store.countGroups(db, vo, which, now()),
        page.limit === 0 ? [] : store.selectGroups(db, vo, which, page, now()),
      ])
      return { total, items }
    },
    async membersOf({ id }, page) {
      const [total, items] = await Promise.all([
        store.countMembers(db, id, now()),
        page.limit === 0 ? [] : store.selectMembers(db, id, page, now()),
      ])
      return { total, items }
    },
    async membersByName({ id }, find, page) {
      const name = find.trim().toLowerCase()
      const [total, items] = await Promise.all([
        store.countNamedMembers(db, id, name, now()),
        store.selectNamedMembers(db, id, name, page, now()),
      ])
      return { total, items }
    },
    groupTree: (vo) => store.selectTree(db, vo, now()),
    async changeProfile(id, change, by) {
      const { vo, name } = await accountOf(context, id)
      const checked = {
        ...(change.givenName !== undefined && { givenName: checkedText('given name', change.givenName) }),
        ...(change.familyName !== undefined && { familyName: checkedText('family name', change.familyName) }),
        ...(change.institute !== undefined && { institute: checkedText('institute', change.institute) }),
      }
      await changing(vo, name, async (tx) => {
        await store.updateProfile(tx, id, checked, now())
        const entry = { vo, actor: by, action: 'account.profile_changed', target: name }
        await context.audit(tx, { ...entry, detail: { fields: Object.keys(checked) } })
      })
    },
    async setEmails(id, emails, by) {
      const { vo, name, kind } = await accountOf(context, id)
      const list = checkedEmails(emails)
      await changing(vo, name, async (tx) => {
        if (kind === 'USER') await refuseTaken(tx, vo, list, id)
        await store.putEmails(tx, id, list)
        const entry = { vo, actor: by, action: 'account.emails_changed', target: name }
        await context.audit(tx, { ...entry, detail: { addresses: list.length } })
        if (kind === 'USER') await askAboutAddresses(context.within(tx), { id, vo, name }, list)
      })
    },
    async setEndTime(id, endTime, by) {
      const { vo, name } = await accountOf(context, id)
      await changing(vo, name, async (tx) => {
        const { revived } = (await store.updateEndTime(tx, id, endTime, now()))!
        const entry = { vo, actor: by, target: name }
        await context.audit(tx, { ...entry, action: 'account.end_time_set', detail: { endTime } })
        if (revived) await context.audit(tx, { ...entry, action: 'account.restored', detail: { endTime } })
      })
    },
    async suspend(id, reason, by) {
      return accounts.updateAccount(id, { status: 'SUSPENDED', reason: checkedReason(reason) }, by)
    },
    async restore(id, reason, by) {
      const { vo, status, name } = await accountOf(context, id)
      if (status === 'PENDING')
        throw e.invalidRequest(`${name} is not approved yet; decide the registration.`)
      const change = { status: 'ACTIVE', reason: checkedReason(reason) } as const
      return changing(vo, name, async (tx) => {
        await store.dropPastEnd(tx, id, now())
        return createAccounts(context.within(tx)).updateAccount(id, change, by)
      })
    },
    async removePerson(id, reason, by) {
      return accounts.updateAccount(id, { status: 'DELETED', reason: checkedReason(reason) }, by)
    },
  }
  return self
}

/** Throws email_taken when another person of the VO has one of the addresses. */
export async function refuseTaken(
  tx: Context['db'],
  vo: string,
  list: readonly { address: string }[],
  except: number | null,
): Promise<void> {
  const addresses = list.map(({ address }) => address)
  if (addresses.length === 0) return
  await store.holdEmails(tx, vo, addresses)
  const [other] = await store.usersOfEmails(tx, vo, addresses, except)
  if (other) throw e.emailTaken(`The address ${other.address} belongs to somebody else in ${vo} already.`)
}

function checkedEmails(list: readonly NewEmail[]): Omit<Email, 'verifiedAt'>[] {
  if (list.length > MOST_EMAILS) throw e.invalidEmail(`At most ${MOST_EMAILS} addresses, please.`)
  const checked = list.map(({ address, primary = false }) => ({ address: checkedEmail(address), primary }))
  if (new Set(checked.map(({ address }) => address.toLowerCase())).size < checked.length) {
    throw e.invalidEmail('An address is given twice.')
  }
  const first = Math.max(
    0,
    checked.findIndex(({ primary }) => primary),
  )
  return checked.map(({ address }, i) => ({ address, primary: i === first }))
}

function checkedReason(reason: string): string {
  const text = checkedText('reason', reason, LONGEST_REASON)
  if (text === '') throw e.invalidRequest('Say why: the person reads it, and the audit log keeps it.')
  return text
}
