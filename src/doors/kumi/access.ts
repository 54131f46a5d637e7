import { Type } from 'typebox'
import {
  ACTIONS,
  type AccessAnswer,
  type Action,
  certificateMissing,
  claimedChain,
  denied,
  formatScope,
  invalidRequest,
  nameFromText,
  type Principal,
  readCertificates,
  type StoredRule,
  slashOf,
} from '../../identity/index.ts'
import { isGridError } from '../../kernel/errors.ts'
import { listSites } from '../../sites/index.ts'
import type { KumiDoorDeps } from './deps.ts'
import type { Operations } from './operation.ts'

const text = Type.String({ maxLength: 1024 })
const kinds = Type.Union([
  Type.Literal('everyone'),
  Type.Literal('group'),
  Type.Literal('account'),
  Type.Literal('attribute'),
])
const effects = Type.Union([Type.Literal('allow'), Type.Literal('deny')])
const NewRule = Type.Object({
  subjectKind: kinds,
  subject: Type.Optional(text),
  action: text,
  resource: Type.Optional(text),
  effect: Type.Optional(effects),
  comment: Type.Optional(text),
})
const Rule = Type.Object({
  id: Type.Integer(),
  subjectKind: kinds,
  subject: text,
  action: text,
  resource: text,
  effect: effects,
  comment: text,
})
const Question = Type.Object({
  action: text,
  /** Somebody else than the caller: an account, or whoever holds this token or certificate. */
  account: Type.Optional(text),
  token: Type.Optional(Type.String({ maxLength: 16_384 })),
  /** Whoever holds this certificate or proxy: PEM with its issuers, or a name in either writing. */
  certificate: Type.Optional(Type.String({ maxLength: 65_536 })),
  owner: Type.Optional(text),
  path: Type.Optional(Type.String({ maxLength: 4096, pattern: '^/' })),
  /** Address of a file at a storage door, instead of a path. */
  url: Type.Optional(Type.String({ maxLength: 4096 })),
})
const Who = Type.Object({
  account: Type.Union([Type.String(), Type.Null()]),
  subject: Type.String(),
  vo: Type.String(),
  method: Type.String(),
  limited: Type.Boolean(),
  groups: Type.Array(Type.String()),
  scopes: Type.Array(Type.String()),
  audience: Type.Array(Type.String()),
  expiresAt: Type.String({ format: 'date-time' }),
})
const Explained = Type.Object({
  who: Who,
  action: Type.String(),
  path: Type.Optional(Type.String()),
  allow: Type.Boolean(),
  reason: Type.String(),
  rule: Type.Optional(Rule),
  scopes: Type.Optional(Type.Array(Type.String())),
})
const Matrix = Type.Object({
  actions: Type.Array(Type.Object({ name: Type.String(), meaning: Type.String() })),
  rows: Type.Array(
    Type.Object({
      subjectKind: kinds,
      subject: Type.String(),
      cells: Type.Array(
        Type.Union([
          Type.Literal('yes'),
          Type.Literal('own'),
          Type.Literal('managed'),
          Type.Literal('own+managed'),
          Type.Literal('no'),
        ]),
      ),
    }),
  ),
})

/** Who may do what: the policy, its table, and why somebody may or may not. */
export function registerAccess(door: Operations, deps: KumiDoorDeps): void {
  const { identity } = deps
  const base = '/kumi/v1/access'
  door.get({
    url: `${base}/rules`,
    action: 'identity.read',
    summary: 'The rules of the policy; nothing is allowed that no rule allows, and a denial wins',
    answer: Type.Object({ rules: Type.Array(Rule) }),
    handler: async ({ principal }) => ({ rules: (await identity.rulesOf(principal.vo)).map(ruleLine) }),
  })
  door.post({
    url: `${base}/rules`,
    action: 'identity.access',
    summary: 'Adds a rule',
    schema: { body: NewRule },
    answer: Rule,
    handler: async ({ principal, body }) =>
      ruleLine(
        await identity.addRule(principal, {
          ...{ subject: '', resource: '*', effect: 'allow', comment: '' },
          ...body,
        }),
      ),
  })
  door.delete({
    url: `${base}/rules/:id`,
    action: 'identity.access',
    summary: 'Removes a rule',
    schema: { params: Type.Object({ id: Type.Integer({ minimum: 1 }) }) },
    answer: Type.Object({ removed: Type.Integer() }),
    handler: async ({ principal, params }) => {
      await identity.removeRule(principal, params.id)
      return { removed: params.id }
    },
  })
  door.get({
    url: `${base}/matrix`,
    action: 'identity.read',
    summary:
      'Each subject of the policy against each action: yes, own things, those of groups one manages, or no',
    answer: Matrix,
    handler: async ({ principal }) => ({
      // What may be done at a storage door is in the scopes of the token, not in the policy.
      actions: Object.entries(ACTIONS)
        .filter(([name]) => !name.startsWith('storage.'))
        .map(([name, meaning]) => ({ name, meaning })),
      rows: await identity.accessMatrix(principal.vo),
    }),
  })
  door.post({
    url: `${base}/explain`,
    action: 'identity.read',
    summary: 'Whether somebody may do something, and the rule or scope that says so',
    schema: { body: Question },
    answer: Explained,
    handler: async ({ principal, body }) => {
      const { account, token, certificate, owner, url } = body
      const action = actionNamed(body.action)
      const who = await personAskedAbout(deps, principal, { account, token, certificate })
      const path = url === undefined ? body.path : await pathOfUrl(deps, principal.vo, url)
      const answer = identity.explainAccess(who, action, {
        ...{ vo: principal.vo, owner: owner ?? null },
        ...(path !== undefined && { path }),
      })
      return { who: whoLine(who), action, ...(path !== undefined && { path }), ...answerLine(answer) }
    },
  })
}

function actionNamed(name: string): Action {
  if (Object.hasOwn(ACTIONS, name)) return name as Action
  throw invalidRequest(`"${name}" is no action; list them with: kumi access actions`)
}

async function personAskedAbout(
  { identity }: KumiDoorDeps,
  caller: Principal,
  asked: { [K in 'account' | 'token' | 'certificate']?: string | undefined },
): Promise<Principal> {
  const { account, token, certificate } = asked
  if ([account, token, certificate].filter((one) => one !== undefined).length > 1) {
    throw invalidRequest('Ask about an account, a token or a certificate, not about several of them.')
  }
  if (token !== undefined) {
    const holder = await identity.bearerOf(token)
    if (holder.vo !== caller.vo) throw denied('The token is of another VO.')
    return holder
  }
  if (certificate !== undefined) {
    const holder = await holderOf(identity, caller.vo, certificate)
    if (holder.accountId !== caller.accountId) {
      identity.authorize(caller, 'identity.access', { vo: caller.vo })
    }
    return holder
  }
  if (account === undefined || account === caller.account) return caller
  identity.authorize(caller, 'identity.access', { vo: caller.vo })
  return identity.asAfterLogin((await identity.account(caller.vo, account)).id)
}

/**
 * Who would be let in with a certificate or proxy, its attributes of VOMS included, or with the plain certificate of a
 * name. Whether the chain is a good one is the door's to judge, and not asked here.
 */
async function holderOf(identity: KumiDoorDeps['identity'], vo: string, text: string): Promise<Principal> {
  if (text.includes('-----BEGIN')) {
    return identity.verifyCertificate(claimedChain(readCertificates(text)), { vo }).catch((error) => {
      // It is the certificate that is not known, not whoever asks.
      throw isGridError(error) && error.kind === 'unauthenticated' ? invalidRequest(error.message) : error
    })
  }
  const name = slashOf(nameFromText(text.trim()))
  const [account] = await identity.accountsOfIdentity(vo, 'X509', name)
  if (!account) throw certificateMissing(`Nobody in ${vo} is known by the certificate ${name}.`)
  return { ...(await identity.asAfterLogin(account.id)), method: 'x509', subject: name }
}

/** The path in the VO's area behind the address of a file at one of the gateways. */
async function pathOfUrl({ db, clock }: KumiDoorDeps, vo: string, address: string): Promise<string> {
  const url = URL.parse(address)
  const scheme = url?.protocol.replace(/^davs?:/, 'https:')
  const host = url && `${scheme}//${url.host}`
  const gateways = (await listSites(db, clock.now(), vo)).flatMap((site) => site.gateways)
  if (!url || !gateways.some(({ endpoint }) => URL.parse(endpoint)?.origin === host)) {
    throw invalidRequest(`${address} is at none of the storage doors; see kumi site ls.`)
  }
  if (!`${url.pathname}/`.startsWith(`/${vo}/`)) {
    throw invalidRequest(`The area of ${vo} begins at ${host}/${vo}/.`)
  }
  return url.pathname.slice(vo.length + 1) || '/'
}

function whoLine(who: Principal) {
  const { account, subject, vo, method, limited, groups, scopes, audience, expiresAt } = who
  return {
    account,
    subject,
    vo,
    method,
    limited,
    groups,
    scopes: scopes.map(formatScope),
    audience,
    expiresAt,
  }
}

function answerLine({ allow, reason, rule, scopes }: AccessAnswer) {
  return { allow, reason, ...(rule && { rule: ruleLine(rule) }), ...(scopes && { scopes }) }
}

function ruleLine({ id, subjectKind, subject, action, resource, effect, comment }: StoredRule) {
  return { id, subjectKind, subject, action, resource, effect, comment }
}
