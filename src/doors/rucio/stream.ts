import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { toJson } from './wire.ts'

export const JSON_STREAM = 'application/x-json-stream'
const LINES_PER_CHUNK = 100

/** One JSON value with the bare type: the client compares content types letter by letter. */
export function sendJson(reply: FastifyReply, value: unknown, status = 200): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'application/json')
    .send(Buffer.from(toJson(value)))
}

/** An answer whose body the client ignores. */
export function sendCreated(reply: FastifyReply, status = 201): FastifyReply {
  return reply.code(status).header('content-type', 'text/plain').send('Created')
}

/** One JSON value per line. */
export function sendLines(
  reply: FastifyReply,
  items: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<FastifyReply> {
  return sendText(
    reply,
    JSON_STREAM,
    mapped(items, (item) => `${toJson(item)}\n`),
  )
}

/**
 * Streams text in chunks of about a hundred pieces. The first piece is fetched before the status goes out, so that an
 * error known at once is an error answer; one that comes later breaks the connection, since a stream that merely ends
 * would look complete.
 */
export async function sendText(
  reply: FastifyReply,
  type: string,
  pieces: AsyncIterable<string>,
): Promise<FastifyReply> {
  const iterator = pieces[Symbol.asyncIterator]()
  const first = await iterator.next()
  const body = Readable.from(chunked(first, iterator), { objectMode: false, highWaterMark: 256 * 1024 })
  return reply.code(200).header('content-type', type).send(body)
}

async function* chunked(first: IteratorResult<string>, rest: AsyncIterator<string>): AsyncGenerator<Buffer> {
  try {
    let lines: string[] = []
    // The first piece travels alone: the first byte is what a waiting person sees.
    if (!first.done) yield Buffer.from(first.value)
    for (let next = first; !next.done; ) {
      next = await rest.next()
      if (!next.done) lines.push(next.value)
      if (lines.length >= LINES_PER_CHUNK || (next.done && lines.length > 0)) {
        yield Buffer.from(lines.join(''))
        lines = []
      }
    }
  } finally {
    await rest.return?.()
  }
}

async function* mapped<T>(
  items: Iterable<T> | AsyncIterable<T>,
  render: (item: T) => string,
): AsyncGenerator<string> {
  for await (const item of items) yield render(item)
}
