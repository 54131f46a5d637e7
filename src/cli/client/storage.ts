import { createReadStream } from 'node:fs'
import { Transform } from 'node:stream'
import { text } from 'node:stream/consumers'
import { adler32, adler32Hex } from '../../kernel/adler32.ts'
import { defineError } from '../../kernel/errors.ts'
import { failureOf } from './failure.ts'
import type { Answer, GridClient } from './http.ts'

const changedWhileRead = defineError('conflict', 'file_changed')

export interface Stored {
  readonly bytes: number
  readonly adler32?: string
}

/** What a storage holds under an address; undefined when nothing. */
export async function storedAt(
  client: GridClient,
  url: string,
  signal?: AbortSignal,
): Promise<Stored | undefined> {
  const answer = await client.send('HEAD', url, { headers: { 'want-digest': 'adler32' }, signal })
  answer.body.resume()
  if (answer.status === 404) return undefined
  if (answer.status >= 300) throw failureOf(answer.status, '', `Looking at ${url}`)
  const sum = /adler32=([0-9a-f]{8})/i.exec(String(answer.headers.digest ?? ''))?.[1]
  return { bytes: Number(answer.headers['content-length'] ?? 0), ...(sum && { adler32: sum.toLowerCase() }) }
}

/** Sends a file to a storage; the checksum is taken again on the way, so a file that changes meanwhile is noticed. */
export async function putFile(
  client: GridClient,
  url: string,
  file: { path: string; bytes: number; adler32: string; md5: string },
  onBytes: (count: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  let sum = 1
  const passing = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      sum = adler32(chunk, sum)
      onBytes(chunk.length)
      next(null, chunk)
    },
    flush: (next) =>
      next(
        adler32Hex(sum) === file.adler32
          ? null
          : changedWhileRead(`${file.path} changed while it was read; put it again.`),
      ),
  })
  const source = createReadStream(file.path, { highWaterMark: 256 * 1024 })
  source.on('error', (error) => passing.destroy(error))
  passing.on('close', () => source.destroy())
  const answer = await client.send('PUT', url, {
    body: source.pipe(passing),
    headers: {
      'content-length': String(file.bytes),
      'content-type': 'application/octet-stream',
      digest: `adler32=${file.adler32},md5=${Buffer.from(file.md5, 'hex').toString('base64')}`,
    },
    signal,
  })
  const said = await text(answer.body)
  if (answer.status >= 300) throw failureOf(answer.status, said, `Storing ${file.path}`)
}

/** Opens a file at a storage from a position on. */
export async function getFile(
  client: GridClient,
  url: string,
  from: number,
  signal?: AbortSignal,
): Promise<Answer> {
  const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {}
  const answer = await client.send('GET', url, { headers, signal })
  if (answer.status === 200 || answer.status === 206) return answer
  throw failureOf(answer.status, await text(answer.body), `Reading ${url}`)
}
