/** The page that everybody may read: how the grid is and was. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { route } from '../../http/index.ts'
import type { Clock } from '../../kernel/index.ts'
import type { StatusPage } from '../../operations/index.ts'
import { statusPage } from './page.ts'

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

/** `/status` and `/status.json`, from the last document on disk. */
export function registerStatusPage(
  app: FastifyInstance,
  { page, clock }: { page: Pick<StatusPage, 'read'>; clock: Clock },
): void {
  route(app, {
    ...{ method: 'GET', url: '/status', action: 'public' },
    schema: { querystring: Type.Object({ lang: Type.Optional(Type.String({ maxLength: 8 })) }) },
    handler: async (request, reply) => {
      const { lang } = request.query as { lang?: string }
      const wanted = lang ?? request.headers['accept-language'] ?? ''
      const language = /^ja\b/i.test(wanted) ? 'ja' : 'en'
      reply.header('cache-control', 'public, max-age=30').header('vary', 'accept-language')
      reply.header('content-security-policy', POLICY)
      return reply.type('text/html; charset=utf-8').send(statusPage(await page.read(), language, clock.now()))
    },
  })
  route(app, {
    ...{ method: 'GET', url: '/status.json', action: 'public' },
    handler: async (_request, reply) => {
      const document = await page.read()
      reply.header('cache-control', 'public, max-age=30').type('application/json')
      return document
        ? reply.send(JSON.stringify(document))
        : reply.code(503).send(JSON.stringify({ error: 'not_yet', message: 'Nobody has looked yet.' }))
    },
  })
}
