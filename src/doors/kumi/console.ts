import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { publicRoutes } from '../../http/index.ts'

const POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ')

/**
 * Serves the compiled console at `/`. Its screens live behind `#`, so no path but the files themselves is needed.
 * A console that is built anew while the server runs is served from then on: the page is asked for at every visit,
 * and what lies below assets/ is looked up when it is asked for, because its names change with its content.
 */
export async function serveConsole(app: FastifyInstance, directory: string): Promise<void> {
  if (!existsSync(directory)) return
  await app.register(async (files) => {
    publicRoutes(files)
    await files.register(fastifyStatic, {
      root: directory,
      wildcard: false,
      globIgnore: ['assets/**'],
      ...headers('no-cache'),
    })
    await files.register(fastifyStatic, {
      root: join(directory, 'assets'),
      prefix: '/assets/',
      index: false,
      decorateReply: false,
      // Each name carries a hash of its content.
      ...headers('public, max-age=31536000, immutable'),
    })
  })
}

function headers(keep: string) {
  return {
    cacheControl: false,
    setHeaders: (reply: { header(name: string, value: string): unknown }) => {
      reply.header('content-security-policy', POLICY)
      reply.header('x-content-type-options', 'nosniff')
      reply.header('referrer-policy', 'no-referrer')
      reply.header('cache-control', keep)
    },
  }
}
