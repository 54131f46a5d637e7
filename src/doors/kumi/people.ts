import { Type } from 'typebox'
import {
  type AuditRecord,
  actorOf,
  type Identity,
  type Person,
  type Principal,
  type Standing,
  type WrittenMail,
} from '../../identity/index.ts'
import type { KumiDoorDeps } from './deps.ts'
import type { Operations } from './operation.ts'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])
const Name = { params: Type.Object({ name: Type.String({ maxLength: 100 }) }) }
const Why = { ...Name, body: Type.Object({ reason: Type.String({ maxLength: 2000 }) }) }

const PersonAnswer = Type.Object({
  name: text,
  id: text,
  kind: text,
  givenName: text,
  familyName: text,
  institute: text,
  emails: Type.Array(Type.Object({ address: text, primary: Type.Boolean(), verifiedAt: maybe(time) })),
  status: text,
  standing: Type.Object({ state: text, code: Type.Optional(text), message: Type.Optional(text) }),
  ending: maybe(text),
  endTime: maybe(time),
  signedAt: maybe(time),
  createdAt: time,
  groups: Type.Array(
    Type.Object({
      path: text,
      optional: Type.Boolean(),
      role: Type.Boolean(),
      since: time,
      until: maybe(time),
      origin: text,
    }),
  ),
  manages: Type.Array(text),
})
const Settings = Type.Object({
  registrationOpen: Type.Boolean(),
  confirmEmail: Type.Boolean(),
  defaultGroups: Type.Array(text),
  suspensionGraceDays: count,
  removalGraceDays: count,
})
const Plan = Type.Object({
  steps: Type.Array(Type.Object({ username: text, step: text, endTime: time })),
  held: Type.Array(Type.Object({ step: text, due: count, limit: count })),
})
const Mail = Type.Object({
  id: count,
  recipient: text,
  kind: text,
  subject: text,
  body: text,
  createdAt: time,
  sentAt: maybe(time),
  problem: text,
  givenUpAt: maybe(time),
})
const Entry = Type.Object({
  seq: count,
  at: time,
  actor: text,
  action: text,
  target: text,
  detail: Type.Unknown(),
  hash: text,
})

/** What SCIM and IAM have no words for: standing and its reason, suspension with a reason, settings, ends, mail, audit. */
export function registerPeople(door: Operations, { identity }: Pick<KumiDoorDeps, 'identity'>): void {
  const base = '/kumi/v1/people'
  door.get({
    url: `${base}/:name`,
    action: 'identity.people.read',
    summary: 'Everything known about one person: profile, standing and why, groups',
    schema: Name,
    answer: PersonAnswer,
    resource: ({ params, principal }) => personTarget(identity, principal, params.name),
    handler: async ({ params, principal }) =>
      personAnswer(identity, await identity.person(principal.vo, params.name)),
  })
  door.get({
    url: `${base}/:name/id`,
    action: 'identity.read',
    summary: 'The id behind a user name, as SCIM and tokens have it',
    schema: Name,
    answer: Type.Object({ name: text, id: text }),
    handler: async ({ params, principal }) => {
      const { name, uuid } = await identity.account(principal.vo, params.name)
      return { name, id: uuid }
    },
  })
  for (const [verb, summary] of [
    ['suspend', 'Stops somebody at once and everywhere'],
    ['restore', 'Takes a suspension or a removal back'],
    ['remove', 'Removes somebody; name, subject and certificates are never given to anybody else'],
  ] as const) {
    door.post({
      url: `${base}/:name/${verb}`,
      action: 'identity.write',
      summary,
      schema: Why,
      answer: PersonAnswer,
      handler: async ({ params, body, principal }) => {
        const { id } = await identity.person(principal.vo, params.name)
        const change = { suspend: identity.suspend, restore: identity.restore, remove: identity.removePerson }
        await change[verb](id, body.reason, actorOf(principal))
        return personAnswer(identity, await identity.person(principal.vo, params.name))
      },
    })
  }
  door.get({
    url: '/kumi/v1/membership/settings',
    action: 'identity.read',
    summary: 'How the VO takes people in and lets them go',
    answer: Settings,
    handler: ({ principal }) => identity.peopleSettings(principal.vo),
  })
  door.put({
    url: '/kumi/v1/membership/settings',
    action: 'identity.write',
    summary: 'Changes how the VO takes people in and lets them go; what is left out stays',
    schema: { body: Type.Partial(Settings, { additionalProperties: false }) },
    answer: Settings,
    handler: ({ principal, body }) => {
      const given = Object.entries(body).filter(([, value]) => value !== undefined)
      return identity.setPeopleSettings(principal.vo, Object.fromEntries(given), actorOf(principal))
    },
  })
  door.get({
    url: '/kumi/v1/membership/endings',
    action: 'identity.people.read',
    summary: 'Whose membership ended and what is due now; held: too many at once, so a manager has to look',
    answer: Plan,
    handler: ({ principal }) => identity.lifecyclePlan(principal.vo),
  })
  door.post({
    url: '/kumi/v1/membership/endings',
    action: 'identity.write',
    summary: 'Takes the due steps now; those that are held only with force',
    schema: { body: Type.Object({ force: Type.Optional(Type.Boolean()) }) },
    answer: Plan,
    handler: ({ principal, body }) =>
      identity.runLifecycle(principal.vo, { by: actorOf(principal), force: body.force === true }),
  })
  door.get({
    url: '/kumi/v1/membership/mails',
    action: 'identity.approve',
    summary: 'What people should be told by mail; not sent yet where sentAt is null',
    schema: { querystring: Paged },
    answer: Type.Object({ total: count, mails: Type.Array(Mail) }),
    handler: async ({ principal, query }) => {
      const page = { offset: query.offset ?? 0, limit: query.limit ?? 50 }
      const { total, items } = await identity.mails(principal.vo, page)
      return { total, mails: items.map(mailLine) }
    },
  })
  registerAudit(door, identity)
}

const Paged = Type.Object({
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
})

function registerAudit(door: Operations, identity: Identity): void {
  const words = Type.Optional(Type.String({ maxLength: 300 }))
  door.get({
    url: '/kumi/v1/audit',
    action: 'identity.audit.read',
    summary: 'Who did what to whom, newest first; actions by name or as account.*',
    schema: {
      querystring: Type.Object({
        ...{ actor: words, target: words, action: words },
        since: Type.Optional(time),
        until: Type.Optional(time),
        before: Type.Optional(Type.Integer({ minimum: 1 })),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
      }),
    },
    answer: Type.Object({ entries: Type.Array(Entry) }),
    handler: async ({ principal, query }) => {
      const { since, until, before, ...rest } = query
      const entries = await identity.auditLog(principal.vo, {
        ...rest,
        ...(since && { since: new Date(since) }),
        ...(until && { until: new Date(until) }),
        ...(before && { before: BigInt(before) }),
      })
      return { entries: entries.map(entryLine) }
    },
  })
  door.get({
    url: '/kumi/v1/audit/verify',
    action: 'identity.audit.read',
    summary: 'Recomputes every hash of the log; brokenAt is the first entry that is not what it was',
    answer: Type.Object({ entries: count, head: text, brokenAt: maybe(count) }),
    handler: () => identity.verifyAuditChain(),
  })
}

/** People own their data; the managers of their groups look after them. Who may not look learns nothing. */
async function personTarget(identity: Identity, { vo }: Principal, name: string) {
  const [account] = await identity.accounts(vo, [name])
  if (!account) return { vo }
  return { vo, owner: account.id, managers: await identity.managersOfMember(account.id) }
}

async function personAnswer(identity: Identity, person: Person) {
  const { id, uuid, username, kind, givenName, familyName, institute, emails, status } = person
  const { ending, endTime, signedAt, createdAt } = person
  const [standings, memberships, managed] = await Promise.all([
    identity.standingOf([id]),
    identity.membershipsOf([id]),
    identity.managedGroups([id]),
  ])
  return {
    ...{ name: username, id: uuid, kind, givenName, familyName, institute, emails, status },
    standing: standingLine(standings.get(id)!),
    ...{ ending, endTime, signedAt, createdAt },
    groups: (memberships.get(id) ?? []).map(({ uuid: _uuid, ...membership }) => membership),
    manages: (managed.get(id) ?? []).map(({ path }) => path),
  }
}

const standingLine = (standing: Standing) =>
  standing.state === 'good'
    ? { state: 'good' }
    : { state: standing.state, code: standing.code, message: standing.message }

const mailLine = ({ vo: _vo, accountId: _account, ...mail }: WrittenMail) => mail

const entryLine = ({ seq, at, actor, action, target, detail, hash }: AuditRecord) => ({
  ...{ seq, at, actor, action, target, detail, hash },
})
