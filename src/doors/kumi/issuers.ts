import { Type } from 'typebox'
import { actorOf, type TrustedIssuerView } from '../../identity/index.ts'
import type { KumiDoorDeps } from './deps.ts'
import type { Operations } from './operation.ts'
import { small } from './whole.ts'

const text = Type.String({ minLength: 1, maxLength: 500 })
const subjects = Type.Record(Type.String(), Type.String())
const NewIssuer = Type.Object({
  issuer: text,
  path: Type.String({ pattern: '^/', maxLength: 1024 }),
  audiences: Type.Optional(Type.Array(text, { maxItems: 50 })),
  subjects: Type.Optional(subjects),
  name: Type.Optional(text),
  callsItself: Type.Optional(text),
  comment: Type.Optional(Type.String({ maxLength: 500 })),
})
const Issuer = Type.Object({
  id: Type.Integer(),
  issuer: Type.String(),
  callsItself: Type.String(),
  name: Type.String(),
  path: Type.String(),
  audiences: Type.Array(Type.String()),
  subjects,
  comment: Type.String(),
  keys: Type.Array(Type.String()),
  keysUntil: Type.String({ format: 'date-time' }),
  problem: Type.String(),
})

/** Whose tokens count here besides our own. */
export function registerIssuers(door: Operations, { identity }: KumiDoorDeps): void {
  const base = '/kumi/v1/issuers'
  door.get({
    url: base,
    action: 'identity.read',
    summary: 'Token issuers of others that are trusted, and what for',
    answer: Type.Object({ issuers: Type.Array(Issuer) }),
    handler: async ({ principal }) => ({
      issuers: (await identity.trustedIssuers(principal.vo)).map(line),
    }),
  })
  door.post({
    url: base,
    action: 'identity.access',
    summary: 'Trusts a token issuer of others with a directory; its keys are fetched first',
    schema: { body: NewIssuer },
    answer: Issuer,
    handler: async ({ principal, body }) => {
      const wanted = { audiences: [], subjects: {}, ...body, vo: principal.vo }
      return line(await identity.trustIssuer(wanted, actorOf(principal)))
    },
  })
  door.delete({
    url: `${base}/:id`,
    action: 'identity.access',
    summary: 'Trusts the issuer no more',
    schema: { params: Type.Object({ id: small(1) }) },
    answer: Type.Object({ removed: Type.Integer() }),
    handler: async ({ principal, params }) => {
      await identity.distrustIssuer(principal.vo, params.id, actorOf(principal))
      return { removed: params.id }
    },
  })
}

function line(view: TrustedIssuerView) {
  const {
    id,
    issuer,
    callsItself,
    name,
    audiences,
    subjects: people,
    comment,
    keys,
    keysUntil,
    problem,
  } = view
  return {
    ...{ id, issuer, callsItself, name, audiences, subjects: people, comment, keys, keysUntil, problem },
    path: `/${view.path.join('/')}`,
  }
}
