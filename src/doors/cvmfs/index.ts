/** The door of CVMFS: repositories as their clients fetch them. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { nearestFirst, type Place } from '../../sites/index.ts'
import { type DocumentName, hashFromPath, letterOf, type Software, textOf } from '../../software/index.ts'
import type { ByteRange } from '../../storage/index.ts'
import { parseRange } from '../webdav/paths.ts'
import { CONTENT_TYPE, DOCUMENT_CACHE, MISSING_CACHE, OBJECT_CACHE } from './caching.ts'
import { registerObjectsTogether } from './together.ts'

export interface CvmfsDoorDeps {
  readonly software: Software
  /** The VO whose repositories are listed for monitors. */
  readonly vo: string
  /** Where the gateways are: clients ask which of their servers is near. */
  readonly places: () => Promise<readonly Place[]>
}

const DOCUMENTS: Readonly<Record<string, DocumentName>> = {
  '.cvmfspublished': 'manifest',
  '.cvmfswhitelist': 'whitelist',
  '.cvmfsreflog': 'reflog',
  '.cvmfs_master_replica': 'master-replica',
}

const Repository = Type.Object({ repository: Type.String({ maxLength: 60 }) })
const Asked = Type.Object({
  repository: Type.String({ maxLength: 60 }),
  client: Type.String({ maxLength: 255 }),
  servers: Type.String({ maxLength: 4096 }),
})
const ObjectName = Type.Object({
  repository: Type.String({ maxLength: 60 }),
  directory: Type.String({ maxLength: 2 }),
  rest: Type.String({ maxLength: 60 }),
})

export function registerCvmfsDoor(app: FastifyInstance, { software, vo, places }: CvmfsDoorDeps): void {
  for (const [name, document] of Object.entries(DOCUMENTS)) {
    route(app, {
      ...{ method: 'GET', url: `/cvmfs/:repository/${name}`, action: 'public', plain: true },
      schema: { params: Repository },
      handler: async (request, reply) => {
        const found = await software.document(request.params.repository, document)
        if (!found) return missing(reply)
        const etag = `"${createHash('sha1').update(found.bytes).digest('hex')}"`
        reply.header('last-modified', found.modified.toUTCString())
        return send(
          request,
          reply,
          { etag, cache: DOCUMENT_CACHE, length: found.bytes.length },
          async (range) => (range ? found.bytes.subarray(range.start, range.end + 1) : found.bytes),
        )
      },
    })
  }
  route(app, {
    ...{ method: 'GET', url: '/cvmfs/:repository/data/:directory/:rest', action: 'public', plain: true },
    schema: { params: ObjectName },
    handler: async (request, reply) => {
      const { repository, directory, rest } = request.params
      const hash = hashFromPath(`data/${directory}/${rest}`)
      const object = hash && (await software.object(repository, hash, letterOf(rest)))
      if (!object) return missing(reply)
      const facts = { etag: `"${textOf(hash)}"`, cache: OBJECT_CACHE, length: object.length }
      return send(request, reply, facts, async (range) => {
        const body = await object.read(range)
        return Buffer.isBuffer(body) || body instanceof Readable
          ? body
          : Readable.from(body, { objectMode: false })
      })
    },
  })
  registerObjectsTogether(app, software)
  route(app, {
    ...{
      method: 'GET',
      url: '/cvmfs/:repository/api/v1.0/geo/:client/:servers',
      action: 'public',
      plain: true,
    },
    schema: { params: Asked },
    handler: async (request, reply) => {
      const { client, servers } = request.params
      const order = nearestFirst(client, servers.split(','), await places())
      reply.header('cache-control', DOCUMENT_CACHE).type('text/plain')
      return order
        ? reply.send(`${order.join(',')}\n`)
        : reply.code(400).send('Where the client or these servers are is not known here.\n')
    },
  })
  route(app, {
    ...{ method: 'GET', url: '/cvmfs/info/v1/repositories.json', action: 'public', plain: true },
    handler: async (_request, reply) => {
      const all = await software.list(vo)
      const listed = (mirrored: boolean) =>
        all
          .filter(({ mirrorOf }) => (mirrorOf !== null) === mirrored)
          .map(({ name }) => ({ name, url: `/cvmfs/${name}` }))
      return reply
        .header('cache-control', DOCUMENT_CACHE)
        .type('application/json')
        .send({ schema: 1, last_geodb_update: '', repositories: listed(false), replicas: listed(true) })
    },
  })
  route(app, {
    ...{ method: 'GET', url: '/cvmfs/info/v1/meta.json', action: 'public', plain: true },
    handler: async (_request, reply) =>
      reply
        .header('cache-control', DOCUMENT_CACHE)
        .type('application/json')
        .send({ administrator: '', email: '', organisation: vo, custom: {} }),
  })
}

interface Served {
  readonly etag: string
  readonly cache: string
  readonly length: number
}

async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  { etag, cache, length }: Served,
  body: (range: ByteRange | undefined) => Promise<Readable | Buffer>,
): Promise<FastifyReply> {
  reply
    .header('etag', etag)
    .header('cache-control', cache)
    .header('accept-ranges', 'bytes')
    .type(CONTENT_TYPE)
  const known = request.headers['if-none-match']?.split(',').map((one) => one.trim().replace(/^W\//, ''))
  if (known?.includes(etag) || known?.includes('*')) return reply.code(304).send()
  const range =
    request.headers['if-range'] && request.headers['if-range'] !== etag ? undefined : request.headers.range
  const asked = parseRange(range, length)
  if (asked === null) return reply.code(416).header('content-range', `bytes */${length}`).send()
  if (asked) reply.code(206).header('content-range', `bytes ${asked.start}-${asked.end}/${length}`)
  reply.header('content-length', asked ? asked.end - asked.start + 1 : length)
  // Anything but a stream would have its own length told.
  if (request.method === 'HEAD') return reply.send(Readable.from([]))
  return reply.send(await body(asked))
}

function missing(reply: FastifyReply): FastifyReply {
  return reply
    .code(404)
    .header('cache-control', MISSING_CACHE)
    .type('text/plain')
    .send('There is nothing here.\n')
}
