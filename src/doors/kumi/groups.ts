import { Type } from 'typebox'
import { actorOf, type Identity, type Principal } from '../../identity/index.ts'
import type { KumiDoorDeps } from './deps.ts'
import type { Operations } from './operation.ts'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])
const path = Type.String({ maxLength: 255 })
const ForATime = Type.Object({
  group: Type.String({ maxLength: 255 }),
  names: Type.Array(Type.String({ maxLength: 25 }), { minItems: 1, maxItems: 1000 }),
  until: Type.Optional(maybe(time)),
})
const Tree = Type.Object({
  groups: Type.Array(
    Type.Object({
      ...{ id: text, path: text, description: text, members: count },
      ...{ optional: Type.Boolean(), role: Type.Boolean() },
    }),
  ),
})
const Members = Type.Object({
  total: count,
  members: Type.Array(Type.Object({ id: text, name: text, since: time, until: maybe(time) })),
})
const PolicyVersions = Type.Object({
  signed: count,
  unsigned: count,
  versions: Type.Array(
    Type.Object({
      ...{ version: count, url: maybe(text), text: maybe(text), description: text },
      ...{ validityDays: count, reminderDays: Type.Array(count), signFrom: time },
      ...{ publishedAt: time, publishedBy: text, withdrawnAt: maybe(time), signatures: count },
    }),
  ),
})

/** Groups with what SCIM has no words for: how many members, and until when; the versions of the usage policy. */
export function registerGroups(door: Operations, { identity }: Pick<KumiDoorDeps, 'identity'>): void {
  door.get({
    url: '/kumi/v1/groups',
    action: 'identity.read',
    summary: 'Every group of the VO, the tree in order, with the number of its members',
    answer: Tree,
    handler: async ({ principal }) => ({ groups: await identity.groupTree(principal.vo) }),
  })
  door.get({
    url: '/kumi/v1/groups/members',
    action: 'identity.people.read',
    summary: 'Members of a group by name, since when and until when',
    schema: {
      querystring: Type.Object({
        group: path,
        find: Type.Optional(Type.String({ maxLength: 100 })),
        offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
      }),
    },
    answer: Members,
    resource: ({ query, principal }) => groupTarget(identity, principal, query.group),
    handler: async ({ query, principal }) => {
      const group = await identity.group(principal.vo, query.group)
      const page = { offset: query.offset ?? 0, limit: query.limit ?? 50 }
      const { total, items } = await identity.membersByName(group, query.find ?? '', page)
      return {
        total,
        members: items.map(({ uuid, username, since, until }) => ({
          ...{ id: uuid, name: username, since, until },
        })),
      }
    },
  })
  door.post({
    url: '/kumi/v1/groups/members',
    action: 'identity.group.manage',
    summary: 'Adds members for a time, which SCIM cannot say; into all groups above too',
    schema: { body: ForATime },
    answer: Type.Object({ group: text, names: Type.Array(text), until: maybe(time) }),
    resource: ({ body, principal }) => groupTarget(identity, principal, body.group),
    handler: async ({ body, principal }) => {
      const { group, names } = body
      const accounts = await Promise.all(names.map((name) => identity.account(principal.vo, name)))
      const until = body.until ? new Date(body.until) : null
      const ids = accounts.map(({ id }) => id)
      await identity.addMembers(principal.vo, group, ids, { until, by: actorOf(principal) })
      return { group, names, until }
    },
  })
  door.get({
    url: '/kumi/v1/policies',
    action: 'identity.people.read',
    summary:
      'Every version of the usage policy, newest first, and how many people have signed what is in force',
    answer: PolicyVersions,
    handler: ({ principal }) => identity.policyVersions(principal.vo),
  })
}

async function groupTarget(identity: Identity, { vo }: Principal, path: string) {
  const named = { field: 'path', test: 'eq', value: path } as const
  const [group] = (await identity.searchGroups(vo, { offset: 0, limit: 1 }, named)).items
  return { vo, managers: group ? ((await identity.managersOf([group.id])).get(group.id) ?? []) : [] }
}
