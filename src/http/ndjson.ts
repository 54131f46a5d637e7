import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'

const ROWS_PER_CHUNK = 100

export interface NdjsonOptions {
  /** `application/x-ndjson` unless a client insists on something else. */
  readonly contentType?: string
  readonly status?: number
}

/**
 * Streams rows as one JSON value per line, about 100 rows a chunk, no faster than the client reads. The first batch is
 * awaited before the headers go out, so an early error becomes an ordinary error answer.
 */
export async function sendNdjson(
  reply: FastifyReply,
  batches: AsyncIterable<readonly unknown[]> | Iterable<readonly unknown[]>,
  options: NdjsonOptions = {},
): Promise<FastifyReply> {
  const source = iteratorOf(batches)
  const first = await source.next()
  const lines = async function* (): AsyncGenerator<string> {
    try {
      for (let step = first; !step.done; step = await source.next()) {
        for (let at = 0; at < step.value.length; at += ROWS_PER_CHUNK) {
          yield `${step.value
            .slice(at, at + ROWS_PER_CHUNK)
            .map(bigintSafeJson)
            .join('\n')}\n`
        }
      }
    } finally {
      await source.return?.()
    }
  }
  const stream = Readable.from(lines(), { objectMode: false, highWaterMark: 64 * 1024 })
  // Nobody will read on: the source (a database cursor) must not wait for it.
  reply.raw.once('close', () => stream.destroy())
  return reply
    .code(options.status ?? 200)
    .header('content-type', options.contentType ?? 'application/x-ndjson')
    .send(stream)
}

function iteratorOf(
  batches: AsyncIterable<readonly unknown[]> | Iterable<readonly unknown[]>,
): AsyncIterator<readonly unknown[]> | Iterator<readonly unknown[]> {
  return Symbol.asyncIterator in batches ? batches[Symbol.asyncIterator]() : batches[Symbol.iterator]()
}

/** Groups single rows into batches of `size`. */
export async function* inBatches<T>(rows: AsyncIterable<T> | Iterable<T>, size = 100): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const row of rows) {
    batch.push(row)
    if (batch.length >= size) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

/** JSON in which a bigint is a number when a double holds it exactly, else a decimal string. */
export function bigintSafeJson(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return JSON.stringify(value, bigintsAsNumbers)
  }
}

function bigintsAsNumbers(_key: string, item: unknown): unknown {
  if (typeof item !== 'bigint') return item
  const asNumber = Number(item)
  return Number.isSafeInteger(asNumber) ? asNumber : item.toString()
}
