import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import { eachOf } from '../../kernel/each.ts'
import {
  bytesOf,
  type ContentHash,
  hashFromPath,
  letterOf,
  type Software,
  writePack,
} from '../../software/index.ts'

/** What one answer brings at most; a client asks for what is left out by itself. */
const MOST_OBJECTS = 256
const MOST_BYTES = 8 << 20
const AT_ONCE = 8

const Repository = Type.Object({ repository: Type.String({ maxLength: 60 }) })
const Wanted = Type.Object({
  /** `data/9a/aab…`, as in the address of an object. */
  paths: Type.Array(Type.String({ maxLength: 80 }), { maxItems: MOST_OBJECTS }),
})

/**
 * Many small objects in one answer, a pack: whoever fetches a release of many files would spend most of the time on
 * requests. What is not there, or too much, is not in it. No caches between: those keep single objects.
 */
export function registerObjectsTogether(app: FastifyInstance, software: Software): void {
  route(app, {
    ...{ method: 'POST', url: '/cvmfs/:repository/objects', action: 'public', plain: true },
    schema: { params: Repository, body: Wanted },
    handler: async (request, reply) => {
      const found: { hash: ContentHash; stored: Buffer }[] = []
      let bytes = 0
      const failures = await eachOf([...new Set(request.body.paths)], AT_ONCE, async (path) => {
        const hash = hashFromPath(path)
        const object = hash && (await software.object(request.params.repository, hash, letterOf(path)))
        if (!hash || !object || bytes + object.length > MOST_BYTES) return
        bytes += object.length
        const body = await object.read()
        found.push({ hash, stored: Buffer.isBuffer(body) ? body : await bytesOf(body) })
      })
      if (failures.length > 0 && found.length === 0) throw failures[0]!.error
      return reply.header('cache-control', 'no-store').type('application/octet-stream').send(writePack(found))
    },
  })
}
