import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import {
  actorOf,
  type Group,
  type Identity,
  nameFromText,
  readGridmap,
  writeGridmap,
  writeGroupmap,
} from '../../identity/index.ts'
import type { X509DoorDeps } from './deps.ts'

const Wanted = Type.Object({
  vo: Type.Optional(Type.String({ maxLength: 32 })),
  format: Type.Optional(Type.Union([Type.Literal('grid'), Type.Literal('group')])),
  /** Instead of accounts, one pool for everybody: `.demo`. */
  pool: Type.Optional(Type.String({ pattern: '^\\.[A-Za-z0-9_-]{1,32}$' })),
})
const Vo = Type.Object({ vo: Type.String({ maxLength: 32 }) })
const Import = Type.Object({
  text: Type.String({ maxLength: 5_000_000 }),
  issuer: Type.Optional(Type.String({ maxLength: 1024 })),
})

/** Lists of names and accounts for programs that know nothing else: out for sites, in for those who move here. */
export function registerGridmap(app: FastifyInstance, { identity, vo: standard }: X509DoorDeps): void {
  route(app, {
    method: 'GET',
    url: '/gridmap',
    action: 'identity.read',
    schema: { querystring: Wanted },
    resource: ({ query }) => ({ vo: query.vo ?? standard }),
    handler: async ({ query }, reply) => {
      const vo = query.vo ?? standard
      reply.type('text/plain; charset=utf-8').header('cache-control', 'max-age=60')
      if (query.format !== 'group') return reply.send(writeGridmap(await identity.gridmap(vo), query.pool))
      return reply.send(writeGroupmap(await allGroups(identity, vo), query.pool ?? `.${vo}`))
    },
  })

  route(app, {
    method: 'POST',
    url: '/iam/:vo/gridmap',
    action: 'identity.write',
    bodyLimit: 6 * 1024 * 1024,
    schema: { params: Vo, body: Import },
    resource: ({ params }) => ({ vo: params.vo }),
    handler: async ({ params, body, principal }) => {
      const { lines, skipped } = readGridmap(body.text)
      const issuer = body.issuer === undefined ? null : nameFromText(body.issuer)
      const accounts = await identity.accounts(params.vo, [...new Set(lines.map(({ account }) => account))])
      const ids = new Map(accounts.map(({ name, id }) => [name, id]))
      const known = lines.flatMap(({ subject, account }) => {
        const accountId = ids.get(account)
        return accountId === undefined ? [] : [{ accountId, subject, issuer }]
      })
      const by = actorOf(principal)
      const outcome = await identity.linkNames(params.vo, known, 'gridmap', by)
      const unknown = [...new Set(lines.map(({ account }) => account))].filter((name) => !ids.has(name))
      return { ...outcome, unknownAccounts: unknown, skippedLines: skipped }
    },
  })
}

async function allGroups(identity: Identity, vo: string): Promise<Group[]> {
  const found: Group[] = []
  for (let level = [await identity.group(vo, `/${vo}`)]; level.length > 0; ) {
    found.push(...level)
    level = (await Promise.all(level.map((group) => identity.subgroups(group)))).flat()
  }
  return found
}
