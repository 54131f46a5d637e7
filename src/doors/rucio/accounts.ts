import { Type } from 'typebox'
import { changeScopeOwner, createScope, listScopes } from '../../catalog/index.ts'
import { type Account, type AccountKind, actorOf, type IdentityKind } from '../../identity/index.ts'
import { accountNames, accountOwner, bodyOf, type Call, type Endpoint, get, param } from './endpoint.ts'
import { badRequest, noScopes } from './errors.ts'
import { listRuleLines } from './rules.ts'
import { sendCreated, sendJson, sendLines } from './stream.ts'
import { isoDate } from './wire.ts'

const Free = Type.Object({})
const NewAccountBody = Type.Object({
  type: Type.String(),
  email: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})
const IdentityBody = Type.Object({
  identity: Type.String({ minLength: 1 }),
  authtype: Type.String(),
  default: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
  password: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})
const AttributeBody = Type.Object({ value: Type.Union([Type.String(), Type.Number(), Type.Boolean()]) })

const by = (call: Call): string => actorOf(call.principal)
const named = (call: Call): Promise<Account> => call.deps.identity.account(call.vo, param(call, 'account'))

export const accountEndpoints: readonly Endpoint[] = [
  get('/accounts', 'identity.read', list),
  get('/accounts/whoami', 'identity.read', async (call) => {
    const name = call.principal.account
    if (name === null) throw badRequest('The token belongs to no account.')
    return sendJson(call.reply, view(call, await call.deps.identity.account(call.vo, name)))
  }),
  get('/accounts/:account', 'identity.read', async (call) =>
    sendJson(call.reply, view(call, await named(call))),
  ),
  {
    method: 'POST',
    path: '/accounts/:account',
    action: 'identity.write',
    async handler(call) {
      const { type, email } = bodyOf(call, NewAccountBody)
      const account = {
        vo: call.vo,
        name: param(call, 'account'),
        kind: accountKind(type),
        email: email ?? null,
      }
      await call.deps.identity.createAccounts([account], by(call))
      return sendCreated(call.reply)
    },
  },
  {
    method: 'PUT',
    path: '/accounts/:account',
    action: 'identity.write',
    async handler(call) {
      const body = bodyOf(call, Free) as Record<string, unknown>
      const account = await named(call)
      const change = {
        ...(typeof body.status === 'string' && { status: accountStatus(body.status) }),
        ...(typeof body.email === 'string' && { email: body.email }),
        ...(typeof body.account_type === 'string' && { kind: accountKind(body.account_type) }),
      }
      await call.deps.identity.updateAccount(account.id, change, by(call))
      return sendCreated(call.reply, 200)
    },
  },
  {
    method: 'DELETE',
    path: '/accounts/:account',
    action: 'identity.write',
    async handler(call) {
      await call.deps.identity.updateAccount((await named(call)).id, { status: 'DELETED' }, by(call))
      return sendCreated(call.reply, 200)
    },
  },
  get('/accounts/:account/attr', 'identity.read', async (call) => {
    const account = await named(call)
    const attributes = (await call.deps.identity.attributes([account.id])).get(account.id) ?? {}
    return sendJson(
      call.reply,
      Object.entries(attributes).map(([key, text]) => ({ key, value: attributeValue(text) })),
    )
  }),
  {
    method: 'POST',
    path: '/accounts/:account/attr/:key',
    action: 'identity.write',
    async handler(call) {
      const { value } = bodyOf(call, AttributeBody)
      await call.deps.identity.setAttributes(
        (await named(call)).id,
        { [param(call, 'key')]: String(value) },
        by(call),
      )
      return sendCreated(call.reply)
    },
  },
  {
    method: 'DELETE',
    path: '/accounts/:account/attr/:key',
    action: 'identity.write',
    async handler(call) {
      await call.deps.identity.deleteAttributes((await named(call)).id, [param(call, 'key')], by(call))
      return sendCreated(call.reply, 200)
    },
  },
  get('/accounts/:account/identities', 'identity.read', async (call) => {
    const account = await named(call)
    const identities = await call.deps.identity.identitiesOf([account.id])
    return sendLines(
      call.reply,
      identities.map(({ kind, identity }) => ({ type: kind, identity, email: emailFor(call, account) })),
    )
  }),
  {
    method: 'POST',
    path: '/accounts/:account/identities',
    action: 'identity.write',
    async handler(call) {
      const body = bodyOf(call, IdentityBody)
      await call.deps.identity.addIdentities(
        [
          {
            accountId: (await named(call)).id,
            kind: identityKind(body.authtype),
            identity: body.identity,
            isDefault: body.default === true,
            ...(body.password && { password: body.password }),
          },
        ],
        by(call),
      )
      return sendCreated(call.reply)
    },
  },
  {
    method: 'DELETE',
    path: '/accounts/:account/identities',
    action: 'identity.write',
    async handler(call) {
      const body = bodyOf(call, IdentityBody)
      const account = await named(call)
      await call.deps.identity.removeIdentity(
        account.id,
        identityKind(body.authtype),
        body.identity,
        by(call),
      )
      return sendCreated(call.reply, 200)
    },
  },
  get('/accounts/:account/rules', 'placement.rule.read', async (call) =>
    sendLines(call.reply, listRuleLines(call, { accountId: (await named(call)).id })),
  ),
  get('/accounts/:account/scopes', 'catalog.read', async (call) => {
    const account = await named(call)
    const scopes = await listScopes(call.deps.db, { vo: call.vo, accountId: account.id })
    if (scopes.length === 0) throw noScopes(`Account ${account.name} has no scopes.`)
    return sendJson(
      call.reply,
      scopes.map((scope) => scope.name),
    )
  }),
  {
    method: 'POST',
    path: '/accounts/:account/scopes/:scope',
    action: 'catalog.scope.create',
    resource: (call) => accountOwner(call),
    async handler(call) {
      const { id } = await named(call)
      await createScope(call.deps.db, {
        vo: call.vo,
        now: call.now,
        name: param(call, 'scope'),
        accountId: id,
      })
      return sendCreated(call.reply)
    },
  },
  get('/scopes', 'catalog.read', async (call) =>
    sendJson(
      call.reply,
      (await listScopes(call.deps.db, { vo: call.vo })).map((scope) => scope.name),
    ),
  ),
  get('/scopes/owner', 'catalog.read', async (call) => {
    const scopes = await listScopes(call.deps.db, { vo: call.vo })
    const names = await accountNames(
      call,
      scopes.map((scope) => scope.accountId),
    )
    return sendJson(
      call.reply,
      scopes.map(({ name, accountId }) => ({ scope: name, account: names.get(accountId) ?? null })),
    )
  }),
  {
    method: 'PUT',
    path: '/scopes/:account/:scope',
    action: 'identity.write',
    async handler(call) {
      const { id } = await named(call)
      await changeScopeOwner(call.deps.db, {
        vo: call.vo,
        now: call.now,
        name: param(call, 'scope'),
        accountId: id,
      })
      return sendCreated(call.reply)
    },
  },
]

async function list(call: Call): Promise<unknown> {
  const { account_type: type, identity, ...attributes } = call.query
  const accounts = await call.deps.identity.listAccounts(call.vo, {
    ...(type && { kind: accountKind(type) }),
    ...(identity && { identity }),
    ...(Object.keys(attributes).length > 0 && { attributes: attributes as Record<string, string> }),
  })
  return sendLines(
    call.reply,
    accounts.map((account) => ({
      account: account.name,
      type: account.kind,
      email: emailFor(call, account),
    })),
  )
}

/** An address is personal: for the person and for those who see everybody's data. */
function emailFor({ deps, principal, vo }: Call, { id, email }: Account): string | null {
  return deps.identity.explain(principal, 'identity.people.read', { vo, owner: id }).allow ? email : null
}

function view(call: Call, account: Account): Record<string, unknown> {
  return {
    account: account.name,
    account_type: account.kind,
    status: account.status,
    email: emailFor(call, account),
    suspended_at: isoDate(account.suspendedAt),
    deleted_at: isoDate(account.deletedAt),
    created_at: isoDate(account.createdAt),
    updated_at: isoDate(account.updatedAt),
  }
}

function accountKind(text: string): AccountKind {
  const kind = text.toUpperCase()
  if (kind === 'USER' || kind === 'GROUP' || kind === 'SERVICE') return kind
  throw badRequest(`"${text.slice(0, 40)}" is not an account type; use USER, GROUP or SERVICE.`)
}

function accountStatus(text: string): 'ACTIVE' | 'SUSPENDED' | 'DELETED' {
  const status = text.toUpperCase()
  if (status === 'ACTIVE' || status === 'SUSPENDED' || status === 'DELETED') return status
  throw badRequest(`"${text.slice(0, 40)}" is not an account status; use ACTIVE, SUSPENDED or DELETED.`)
}

function identityKind(text: string): IdentityKind {
  const kind = text.toUpperCase()
  if (kind === 'USERPASS' || kind === 'OIDC' || kind === 'X509' || kind === 'SSH') return kind
  throw badRequest(
    `"${text.slice(0, 40)}" is not an identity type served here; use USERPASS, OIDC, X509 or SSH.`,
  )
}

/** The client's admin check wants a real True. */
function attributeValue(text: string): string | boolean {
  return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : text
}
