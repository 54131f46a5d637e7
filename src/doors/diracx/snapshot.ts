import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { bigintSafeJson } from '../../http/index.ts'
import type { Clock } from '../../kernel/ports.ts'

/**
 * Answers documents that are asked for again and again: 304 when they are what the caller has. `Last-Modified` is when
 * this process first saw the present content, so it can only be too late, never too early.
 */
export function snapshots(clock: Clock) {
  const seen = new Map<string, { tag: string; since: Date }>()
  return (
    request: FastifyRequest,
    reply: FastifyReply,
    name: string,
    content: unknown,
    suffix = '',
  ): FastifyReply => {
    const text = bigintSafeJson(content)
    const tag = `"${createHash('sha1').update(text).digest('hex')}${suffix}"`
    const known = seen.get(name)
    const present = known?.tag === tag ? known : { tag, since: new Date(clock.now()) }
    // HTTP tells whole seconds only.
    if (present !== known) present.since.setUTCMilliseconds(0)
    seen.set(name, present)
    reply.header('etag', tag).header('last-modified', present.since.toUTCString())
    const { 'if-none-match': match, 'if-modified-since': since } = request.headers
    const same = match
      ? match.split(',').some((one) => one.trim().replace(/^W\//, '') === tag)
      : since !== undefined && Date.parse(since) >= present.since.getTime()
    return same ? reply.code(304).send() : reply.type('application/json').send(text)
  }
}
