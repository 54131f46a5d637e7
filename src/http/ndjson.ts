import type { FastifyReply } from 'fastify'

export interface NdjsonOptions {
  /** `application/x-ndjson` unless a client insists on something else. */
  readonly contentType?: string
  readonly status?: number
}

/**
 * Streams rows as one JSON value per line, about 100 rows a chunk, no faster than the client reads. The first batch is
 * awaited before the headers go out, so an early error becomes an ordinary error answer.
 */
export function sendNdjson(
  _reply: FastifyReply,
  _batches: AsyncIterable<readonly unknown[]> | Iterable<readonly unknown[]>,
  _options: NdjsonOptions = {},
): Promise<FastifyReply> {
  throw new Error('follows')
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
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== 'bigint') return item
    const asNumber = Number(item)
    return Number.isSafeInteger(asNumber) ? asNumber : item.toString()
  })
}
