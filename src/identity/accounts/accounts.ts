import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { checkedEmail, checkedText } from '../people/names.ts'
import type {
  Account,
  AccountFilter,
  AccountIdentity,
  AccountKind,
  AccountStatus,
  IdentityKind,
  NewAccount,
  NewAccountIdentity,
} from './account.ts'
import * as store from './accounts.store.ts'
import { hashPassword } from './secrets.ts'

export interface Accounts {
  createAccounts(accounts: readonly NewAccount[], by?: string): Promise<Account[]>
  accounts(vo: string, names: readonly string[]): Promise<Account[]>
  accountsById(ids: readonly number[]): Promise<Account[]>
  listAccounts(vo: string, filter?: AccountFilter): Promise<Account[]>
  /** The account of that name; throws account_missing. */
  account(vo: string, name: string): Promise<Account>
  updateAccount(
    id: number,
    change: { status?: AccountStatus; email?: string | null; kind?: AccountKind; reason?: string },
    by?: string,
  ): Promise<Account>
  attributes(accountIds: readonly number[]): Promise<Map<number, Record<string, string>>>
  setAttributes(accountId: number, attributes: Readonly<Record<string, string>>, by?: string): Promise<void>
  /** Throws last_administrator, as `setAttributes` does. */
  deleteAttributes(accountId: number, keys: readonly string[], by?: string): Promise<void>
  /** A new USERPASS identity needs a password; one that another account has already shares its password. */
  addIdentities(identities: readonly NewAccountIdentity[], by?: string): Promise<void>
  removeIdentity(accountId: number, kind: IdentityKind, identity: string, by?: string): Promise<void>
  identitiesOf(accountIds: readonly number[]): Promise<AccountIdentity[]>
  accountsOfIdentity(vo: string, kind: IdentityKind, identity: string): Promise<Account[]>
  setPassword(accountId: number, username: string, password: string, by?: string): Promise<void>
}

const NAME = /^[a-z0-9_-]{1,25}$/
const ACTION_OF_STATUS: Readonly<Record<AccountStatus, string>> = {
  ACTIVE: 'account.restored',
  SUSPENDED: 'account.suspended',
  DELETED: 'account.removed',
  PENDING: 'account.registered',
}
const SHORTEST_PASSWORD = 8
const LONGEST_PASSWORD = 1024

export function createAccounts(context: Context): Accounts {
  const { db, ids, now, changing } = context
  const self: Accounts = {
    async createAccounts(list, by = 'grid') {
      for (const { name } of list) {
        if (NAME.test(name)) continue
        throw e.invalidAccount(
          `"${name}" is no account name: use 1 to 25 of the characters a-z, 0-9, "_" and "-".`,
        )
      }
      const [first] = list
      if (!first) return []
      const made = await changing(first.vo, first.name, async (tx) => {
        const fresh = list.map((account) => ({ ...checkedAccount(account), uuid: ids.uuid() }))
        const created = await store.insertAccounts(tx, fresh, now())
        await refuseOmitted(tx, list, created)
        await context.audit(
          tx,
          ...created.map(({ vo, name, kind, uuid }) => ({
            ...{ vo, actor: by, action: 'account.created', target: name },
            detail: { kind, uuid },
          })),
        )
        return created
      })
      return list.map((a) => made.find((m) => m.vo === a.vo && m.name === a.name)!)
    },
    accounts: (vo, names) => store.accountsByName(db, vo, names),
    accountsById: (list) => store.accountsById(db, list),
    listAccounts: (vo, filter = {}) => store.selectAccounts(db, vo, filter),
    async account(vo, name) {
      const [account] = await store.accountsByName(db, vo, [name])
      if (!account) throw e.accountMissing(`There is no account "${name}" in ${vo}.`)
      return account
    },
    async updateAccount(id, { email, ...change }, by = 'grid') {
      const { vo, name } = await accountOf(context, id)
      const address = email && checkedEmail(email)
      return changing(vo, name, async (tx) => {
        if (change.status === 'SUSPENDED' || change.status === 'DELETED') {
          await keepAnAdministrator(tx, { id, vo, name })
        }
        if (email !== undefined) await store.putPrimaryEmail(tx, id, address || null)
        const action = change.status ? ACTION_OF_STATUS[change.status] : 'account.changed'
        const detail = { ...change, ...(email !== undefined && { email: 'changed' }) }
        await context.audit(tx, { vo, actor: by, action, target: name, detail })
        return (await store.updateAccount(tx, id, change, now()))!
      })
    },
    async attributes(list) {
      const found = new Map<number, Record<string, string>>()
      for (const { id, key, value } of await store.selectAttributes(db, list)) {
        found.set(id, { ...found.get(id), [key]: value })
      }
      return found
    },
    async setAttributes(id, values, by = 'grid') {
      const { vo, name } = await accountOf(context, id)
      await changing(vo, name, async (tx) => {
        const { admin } = values
        if (admin !== undefined && admin.toLowerCase() !== 'true') {
          await keepAnAdministrator(tx, { id, vo, name })
        }
        await store.putAttributes(tx, id, values)
        await context.audit(tx, {
          vo,
          actor: by,
          action: 'account.attributes_set',
          target: name,
          detail: values,
        })
      })
    },
    async deleteAttributes(id, names, by = 'grid') {
      const { vo, name } = await accountOf(context, id)
      await changing(vo, name, async (tx) => {
        if (names.includes('admin')) await keepAnAdministrator(tx, { id, vo, name })
        await store.dropAttributes(tx, id, names)
        const entry = { vo, actor: by, action: 'account.attributes_removed', target: name }
        await context.audit(tx, { ...entry, detail: { names } })
      })
    },
    async addIdentities(list, by = 'grid') {
      const shared = await store.passwordsOfOthers(
        db,
        list.filter(({ password }) => password !== undefined),
      )
      if (shared[0]) {
        throw e.identityExists(
          `"${shared[0].identity}" belongs to another account too and has a password; leave the password out to share it.`,
        )
      }
      await put(context, list, by)
    },
    async removeIdentity(id, kind, identity, by = 'grid') {
      const { vo, name } = await accountOf(context, id)
      const dropped = await changing(vo, name, async (tx) => {
        const entry = { vo, actor: by, action: 'account.identity_removed', target: name }
        await context.audit(tx, { ...entry, detail: { kind, identity } })
        return store.dropIdentity(tx, id, kind, identity)
      })
      if (dropped === 0) throw e.identityMissing(`The account ${name} has no identity "${identity}".`)
    },
    identitiesOf: (list) => store.selectIdentities(db, list),
    accountsOfIdentity: (vo, kind, identity) => store.accountsByIdentity(db, vo, kind, identity),
    async setPassword(accountId, identity, password, by = 'grid') {
      const { vo } = await accountOf(context, accountId)
      // The password belongs to the user name, whatever accounts it opens.
      const same = await store.accountsByIdentity(db, vo, 'USERPASS', identity)
      const all = new Set([accountId, ...same.map(({ id }) => id)])
      await put(
        context,
        [...all].map((id) => ({ accountId: id, kind: 'USERPASS', identity, password })),
        by,
      )
    },
  }
  return self
}

/** Nobody could give the rights back that the last administrator loses; throws last_administrator. */
async function keepAnAdministrator(
  tx: Context['db'],
  { id, vo, name }: Pick<Account, 'id' | 'vo' | 'name'>,
): Promise<void> {
  if (!(await store.isLastAdministrator(tx, vo, id))) return
  throw e.lastAdministrator(`${name} is the last administrator of ${vo}; make somebody else one first.`)
}

/** The account of that number; throws account_missing. */
export async function accountOf({ db }: Context, id: number): Promise<Account> {
  const [account] = await store.accountsById(db, [id])
  if (!account) throw e.accountMissing(`There is no account ${id}.`)
  return account
}

async function refuseOmitted(
  tx: Context['db'],
  list: readonly NewAccount[],
  created: readonly Account[],
): Promise<void> {
  const omitted = list.find((a) => !created.some((c) => c.vo === a.vo && c.name === a.name))
  if (!omitted && created.length === list.length) return
  const { vo, name } = omitted ?? list[0]!
  const known = await store.accountsByName(tx, vo, [name])
  if (known.length === 0) throw e.voMissing(`There is no VO ${vo}.`)
  throw e.accountExists(`The account "${name}" exists already.`)
}

async function put(context: Context, list: readonly NewAccountIdentity[], by: string): Promise<void> {
  const hashes = new Map<string, string>()
  for (const { password } of list) {
    if (password === undefined || hashes.has(password)) continue
    checkPassword(password)
    hashes.set(password, await hashPassword(password))
  }
  const rows = list.map(({ password, isDefault = false, ...identity }) => ({
    ...identity,
    isDefault,
    hash: password === undefined ? null : hashes.get(password)!,
  }))
  const [first] = list
  if (!first) return
  const { vo, name } = await accountOf(context, first.accountId)
  await context.changing(vo, name, async (tx) => {
    const named = new Map(
      (
        await store.accountsById(
          tx,
          rows.map((r) => r.accountId),
        )
      ).map((a) => [a.id, a.name]),
    )
    await store.putIdentities(tx, rows, context.now())
    await context.audit(
      tx,
      ...rows.map(({ accountId, kind, identity, hash }) => ({
        ...{ vo, actor: by, action: 'account.identity_set', target: named.get(accountId) ?? name },
        detail: { kind, identity, password: hash !== null },
      })),
    )
  })
}

/** Names and address in good form; throws invalid_profile, invalid_email. */
function checkedAccount(account: NewAccount): NewAccount {
  const { email, givenName = '', familyName = '', institute = '' } = account
  return {
    ...account,
    email: email ? checkedEmail(email) : null,
    givenName: checkedText('given name', givenName),
    familyName: checkedText('family name', familyName),
    institute: checkedText('institute', institute),
  }
}

function checkPassword(password: string): void {
  if (password.length >= SHORTEST_PASSWORD && password.length <= LONGEST_PASSWORD) return
  throw e.invalidPassword(`A password has ${SHORTEST_PASSWORD} to ${LONGEST_PASSWORD} characters.`)
}
