import type { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { actorOf, type Principal } from '../../identity/index.ts'
import { checkPath, MAX_PACK_BYTES, type RepositoryRow, type Software } from '../../software/index.ts'
import { type Operations, operations } from './operation.ts'
import { Made, Opened, Plan, Repository, RepositoryLine, Revision, Tagged } from './software-answers.ts'
import { registerMirrors } from './software-mirrors.ts'

const name = Type.String({ maxLength: 60 })
const path = Type.String({ maxLength: 4096 })
const tagName = Type.String({ maxLength: 100 })
const words = Type.String({ maxLength: 1000 })
const Named = Type.Object({ name })
const Publication = Type.Object({ id: Type.String({ format: 'uuid' }) })
const count = Type.Integer({ minimum: 0 })
const base = '/kumi/v1/software'
/** Lines of changes: ten million entries. */
const MAX_CHANGES_BYTES = 4 * 2 ** 30
const MAX_PLAINS = 20_000

const whole = ({ principal, params }: { principal: Principal; params: { name: string } }) => ({
  vo: principal.vo,
  path: `/${params.name}`,
})

/** Software repositories: what publishers and those who look after them do. Reading is the door of CVMFS. */
export async function registerSoftware(
  app: FastifyInstance,
  door: Operations,
  software: Software,
): Promise<void> {
  registerRepositories(door, software)
  registerPublications(door, software)
  registerMirrors(door, software)
  await app.register(async (part) => {
    part.addContentTypeParser(
      'application/octet-stream',
      { parseAs: 'buffer', bodyLimit: MAX_PACK_BYTES },
      (_request, body, done) => done(null, body),
    )
    part.removeContentTypeParser(['application/x-json-stream', 'application/x-ndjson'])
    part.addContentTypeParser('application/x-ndjson', (_request, body, done) => done(null, body))
    const streams = operations(part)
    registerStreams(streams, software)
    door.described.push(...streams.described)
  })
}

function registerRepositories(door: Operations, software: Software): void {
  door.get({
    url: `${base}/repositories`,
    action: 'software.read',
    summary: 'Software repositories',
    answer: Type.Object({ repositories: Type.Array(RepositoryLine) }),
    handler: async ({ principal }) => ({ repositories: (await software.list(principal.vo)).map(lineOf) }),
  })
  door.post({
    url: `${base}/repositories`,
    action: 'software.admin',
    summary: 'Makes a repository with its keys and an empty first revision',
    schema: {
      body: Type.Object({
        name,
        title: Type.Optional(words),
        algorithm: Type.Optional(Type.Union([Type.Literal('sha1'), Type.Literal('shake128')])),
        masterPublicPem: Type.Optional(Type.String({ maxLength: 10_000 })),
      }),
    },
    answer: Repository,
    handler: ({ principal, body }) =>
      software.create({ ...body, title: body.title ?? '', vo: principal.vo, account: actorOf(principal) }),
  })
  door.get({
    url: `${base}/repositories/:name`,
    action: 'software.read',
    summary: 'A repository: keys, tags, expiry, space',
    schema: { params: Named },
    answer: Repository,
    handler: ({ principal, params }) => software.describe(params.name, principal.vo),
  })
  door.get({
    url: `${base}/repositories/:name/revisions`,
    action: 'software.read',
    summary: 'Who published what, newest first',
    schema: {
      params: Named,
      querystring: Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })) }),
    },
    answer: Type.Object({ revisions: Type.Array(Revision) }),
    handler: async ({ principal, params, query }) => ({
      revisions: await software.revisions(params.name, principal.vo, query.limit ?? 50),
    }),
  })
  door.post({
    url: `${base}/repositories/:name/tags`,
    action: 'software.publish',
    summary: 'Names a revision, the newest unless one is given; or proposes it',
    schema: {
      params: Named,
      body: Type.Object({ name: tagName, revision: Type.Optional(count), description: Type.Optional(words) }),
    },
    resource: whole,
    answer: Tagged,
    handler: async ({ principal, params, body }) => {
      const proposal = await software.tag(params.name, principal.vo, {
        name: body.name,
        revision: body.revision === undefined ? undefined : BigInt(body.revision),
        description: body.description ?? '',
        account: actorOf(principal),
      })
      return { ...(await software.describe(params.name, principal.vo)), proposal }
    },
  })
  door.delete({
    url: `${base}/repositories/:name/tags/:tag`,
    action: 'software.publish',
    summary: 'Takes a name from a revision, or proposes it',
    schema: { params: Type.Object({ name, tag: tagName }) },
    resource: whole,
    answer: Tagged,
    handler: async ({ principal, params }) => {
      const tag = { name: params.tag, account: actorOf(principal) }
      const proposal = await software.removeTag(params.name, principal.vo, tag)
      return { ...(await software.describe(params.name, principal.vo)), proposal }
    },
  })
  door.post({
    url: `${base}/repositories/:name/rollback`,
    action: 'software.publish',
    summary: 'Publishes the tree of a tag or of an earlier revision again, or proposes it',
    schema: {
      params: Named,
      body: Type.Object({ tag: Type.Optional(tagName), revision: Type.Optional(count) }),
    },
    resource: whole,
    answer: Made,
    handler: ({ principal, params, body }) =>
      software.rollback(params.name, principal.vo, {
        tag: body.tag,
        revision: body.revision === undefined ? undefined : BigInt(body.revision),
        account: actorOf(principal),
      }),
  })
  door.post({
    url: `${base}/repositories/:name/gc`,
    action: 'software.admin',
    summary: 'Gives up untagged revisions but the newest, and what only they used; or says what it would',
    schema: {
      params: Named,
      body: Type.Object({
        keep: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        dryRun: Type.Optional(Type.Boolean()),
      }),
    },
    answer: Plan,
    handler: ({ principal, params, body }) =>
      body.dryRun
        ? software.planCollection(params.name, principal.vo, body.keep)
        : software.collect(params.name, principal.vo, { keep: body.keep, account: actorOf(principal) }),
  })
  door.post({
    url: `${base}/repositories/:name/keys`,
    action: 'software.admin',
    summary: 'A new signing key from now on; the old one stays listed for a week',
    schema: { params: Named },
    answer: Repository,
    handler: async ({ principal, params }) => {
      await software.rotateKey(params.name, principal.vo, actorOf(principal))
      return software.describe(params.name, principal.vo)
    },
  })
  door.get({
    url: `${base}/repositories/:name/whitelist`,
    action: 'software.admin',
    summary: 'The text that a master key kept elsewhere is to sign',
    schema: { params: Named },
    answer: Type.Object({ text: Type.String() }),
    handler: async ({ principal, params }) => ({
      text: await software.whitelistToSign(params.name, principal.vo),
    }),
  })
  door.put({
    url: `${base}/repositories/:name/whitelist`,
    action: 'software.admin',
    summary: 'Brings a whitelist that was signed elsewhere, in base64',
    schema: { params: Named, body: Type.Object({ signed: Type.String({ maxLength: 100_000 }) }) },
    answer: Type.Object({ expiresAt: Type.String({ format: 'date-time' }) }),
    handler: ({ principal, params, body }) =>
      software.bringWhitelist(
        params.name,
        principal.vo,
        actorOf(principal),
        Buffer.from(body.signed, 'base64'),
      ),
  })
}

/** The place that a publication is about; another VO's is as good as missing. */
const placeOf =
  (software: Software) =>
  async ({ params }: { params: { id: string } }) => {
    const { vo, repository, path: below } = await software.publicationOf(params.id)
    return { vo, path: `/${repository}${below}` }
  }

function registerPublications(door: Operations, software: Software): void {
  const resource = placeOf(software)
  door.post({
    url: `${base}/publications`,
    action: 'software.publish',
    summary: 'Begins to publish below a path of a repository',
    schema: {
      body: Type.Object({ repository: name, path, source: Type.Optional(Type.String({ maxLength: 4096 })) }),
    },
    resource: ({ principal, body }) => ({
      vo: principal.vo,
      path: `/${body.repository}${checkPath(body.path)}`,
    }),
    answer: Opened,
    handler: ({ principal, body }) =>
      software.openPublication({
        ...{ repository: body.repository, path: body.path, source: body.source ?? '' },
        ...{ vo: principal.vo, account: actorOf(principal) },
      }),
  })
  door.post({
    url: `${base}/publications/:id/known`,
    action: 'software.publish',
    summary: 'Which contents, by SHA-256, need not be uploaded',
    schema: {
      params: Publication,
      body: Type.Object({
        plains: Type.Array(Type.String({ pattern: '^[0-9a-f]{64}$' }), { maxItems: MAX_PLAINS }),
      }),
    },
    resource,
    answer: Type.Object({ known: Type.Array(Type.Object({ plain: Type.String(), hash: Type.String() })) }),
    handler: async ({ params, body }) => ({ known: await software.knownObjects(params.id, body.plains) }),
  })
  door.delete({
    url: `${base}/publications/:id`,
    action: 'software.publish',
    summary: 'Gives a publication up',
    schema: { params: Publication },
    resource,
    answer: Type.Object({ cancelled: Type.Boolean() }),
    handler: async ({ params }) => ({ cancelled: await software.cancel(params.id) }),
  })
}

/** Bodies that are not JSON: objects in packs, and changes as lines that are never all in memory. */
function registerStreams(door: Operations, software: Software): void {
  const resource = placeOf(software)
  door.put({
    url: `${base}/publications/:id/objects`,
    action: 'software.publish',
    summary:
      'Takes a pack of objects (application/octet-stream); each is compared with its name and its SHA-256',
    schema: { params: Publication },
    bodyLimit: MAX_PACK_BYTES,
    resource,
    answer: Type.Object({ objects: count }),
    handler: ({ params, body }) => software.acceptPack(params.id, body as Buffer),
  })
  door.post({
    url: `${base}/publications/:id/commit`,
    action: 'software.publish',
    summary:
      'Makes the next revision from changes, one JSON value a line (application/x-ndjson), or proposes it',
    schema: {
      params: Publication,
      querystring: Type.Object({ tag: Type.Optional(tagName), description: Type.Optional(words) }),
    },
    bodyLimit: MAX_CHANGES_BYTES,
    resource,
    answer: Made,
    handler: ({ params, query, body }) =>
      software.commit(
        params.id,
        body as Readable,
        query.tag === undefined ? undefined : { name: query.tag, description: query.description ?? '' },
      ),
  })
}

function lineOf(row: RepositoryRow) {
  const { title, algorithm, revision, rootHash, publishedAt, whitelistExpiresAt, mirrorOf } = row
  return { name: row.name, title, algorithm, revision, rootHash, publishedAt, whitelistExpiresAt, mirrorOf }
}
