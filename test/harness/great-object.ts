import { createCipheriv } from 'node:crypto'
import type { Server, ServerResponse } from 'node:http'
import { type Algorithm, type ContentHash, hasher, objectPath } from '../../src/software/format/hash.ts'

const PIECE = 1 << 20

/** Pseudo-random bytes that nobody holds, as an object of a repository that is stored without compression. */
export function greatObject(megabytes: number, seed: number, algorithm: Algorithm = 'sha1') {
  function* pieces(): Generator<Buffer> {
    const stream = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16))
    for (let i = 0; i < megabytes; i++) yield stream.update(Buffer.alloc(PIECE))
  }
  const sum = hasher(algorithm)
  for (const piece of pieces()) sum.update(piece)
  const hash: ContentHash = { algorithm, hex: sum.digest('hex') }
  const size = megabytes * PIECE
  return {
    ...{ hash, size, pieces, path: objectPath(hash, 'file') },
    entry: (path: string) => ({
      ...{ path, kind: 'file', mode: 0o644, mtime: 1_700_000_000, mtimeNs: 0, size, content: hash },
      compression: 'none',
    }),
    part(start: number, end: number): Buffer {
      const found: Buffer[] = []
      let at = 0
      for (const piece of pieces()) {
        if (at > end) break
        found.push(piece.subarray(Math.max(0, start - at), Math.max(0, end + 1 - at)))
        at += piece.length
      }
      return Buffer.concat(found)
    },
  }
}
export type GreatObject = ReturnType<typeof greatObject>

/** How whoever has an object gives it: half of it, another byte at its end, or without saying how much it is. */
export type Giving = 'right' | 'truncated' | 'wrong' | 'unsaid'

export async function giveGreat(
  response: ServerResponse,
  { size, pieces }: GreatObject,
  giving: Giving,
): Promise<void> {
  response.writeHead(200, giving === 'unsaid' ? {} : { 'content-length': size })
  let sent = 0
  for (const piece of pieces()) {
    sent += piece.length
    if (giving === 'truncated' && sent > size / 2) return void response.destroy()
    if (giving === 'wrong' && sent === size) piece[piece.length - 1]! ^= 1
    const ready = response.write(piece)
    if (response.destroyed) return
    if (!ready)
      await new Promise<void>((resolve) => {
        const go = () => {
          response.off('drain', go).off('close', go)
          resolve()
        }
        response.on('drain', go).on('close', go)
      })
  }
  response.end()
}

/** Reads an answer without holding it; throws when it breaks off. */
export async function sumOf(answer: Response, algorithm: Algorithm): Promise<{ hex: string; bytes: number }> {
  const sum = hasher(algorithm)
  let bytes = 0
  for await (const piece of answer.body! as unknown as AsyncIterable<Uint8Array>) {
    sum.update(piece)
    bytes += piece.length
  }
  return { hex: sum.digest('hex'), bytes }
}

export function shut(server: Server): void {
  server.closeAllConnections()
  server.close()
}
