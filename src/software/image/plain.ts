import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isGridError } from '../../kernel/errors.ts'
import { type Bytes, readBytes } from './bytes.ts'
import { badImage } from './errors.ts'

export type Compressed = 'tar.gz' | 'tar.zst'
/** Unpacks a stream; `over` is when all of it was. */
export type Decompress = (
  packed: Readable,
  format: Compressed,
) => { plain: AsyncIterable<Uint8Array>; over: Promise<void> }

export interface UnpackOptions {
  /** Where unpacked archives are kept. */
  readonly work: string
  /** Bytes that all of them together may have. */
  readonly mostBytes: number
  readonly decompress: Decompress
  readonly signal?: AbortSignal | undefined
}

/** What bytes must be: `sha256:…` of them as they are stored, and of what they hold. */
export interface Digests {
  readonly stored?: string | undefined
  readonly plain?: string | undefined
}

/** An archive as it is without compression, after comparing what it must be; throws `software_bad_image`. */
export type Unpack = (bytes: Bytes, what: string, digests: Digests) => Promise<Bytes>

export function createUnpack({ work, mostBytes, decompress, signal }: UnpackOptions): Unpack {
  let [files, unpacked] = [0, 0]
  return async (bytes, what, digests) => {
    if (bytes.length === 0) throw badImage(`${what} is empty.`)
    const [stored, plain] = [summing(digests.stored), summing(digests.plain)]
    const read = async function* () {
      for await (const chunk of contentOf(bytes)) {
        signal?.throwIfAborted()
        stored.update(chunk)
        yield chunk
      }
    }
    const compare = () => {
      if (stored.differs()) throw badImage(`${what} does not have the bytes that its digest says.`)
      if (plain.differs()) throw badImage(`${what} does not hold what the image's configuration says.`)
    }
    const format = formatOf(bytes)
    if (format === 'tar') {
      for await (const chunk of read()) plain.update(chunk)
      compare()
      return bytes
    }
    const file = join(work, String(files++))
    let length = 0
    const { plain: stream, over } = decompress(Readable.from(read(), { objectMode: false }), format)
    const checked = async function* () {
      for await (const chunk of stream) {
        plain.update(chunk)
        length += chunk.length
        unpacked += chunk.length
        if (unpacked > mostBytes)
          throw badImage(`The image unpacks to more than ${Math.floor(mostBytes / 2 ** 30)} GiB.`)
        yield chunk
      }
    }
    const ends = await Promise.allSettled([pipeline(checked, createWriteStream(file)), over])
    signal?.throwIfAborted()
    throwWorst(ends, what)
    compare()
    return { file, start: 0, length }
  }
}

/** What an archive begins with says how it is packed; what media types say differs between programs. */
export function formatOf(bytes: Bytes): 'tar' | Compressed {
  if (bytes.length < 4) return 'tar'
  const magic = readBytes({ ...bytes, length: 4 }, 4, 'The archive').toString('hex')
  if (magic.startsWith('1f8b')) return 'tar.gz'
  return magic === '28b52ffd' ? 'tar.zst' : 'tar'
}

const contentOf = ({ file, start, length }: Bytes): AsyncIterable<Buffer> =>
  createReadStream(file, { start, end: start + length - 1, highWaterMark: 1 << 20 })

/** An error of ours or of the disk as it is; any other means that the archive is damaged. */
function throwWorst(ends: readonly PromiseSettledResult<void>[], what: string): void {
  const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as { code?: string }] : []))
  const known = reasons.find(
    (one) => isGridError(one) || ['ENOSPC', 'EDQUOT', 'EIO', 'EACCES'].includes(one.code ?? ''),
  )
  if (known) throw known
  if (reasons.length > 0) throw badImage(`${what} cannot be unpacked: it is damaged.`, {}, reasons[0])
}

function summing(digest: string | undefined) {
  if (digest === undefined) return { update: () => undefined, differs: () => false }
  const { algorithm, hex } = readDigest(digest)
  const hash = createHash(algorithm)
  return { update: (bytes: Uint8Array) => void hash.update(bytes), differs: () => hash.digest('hex') !== hex }
}

/** Digests of the OCI image specification: `sha256:` and `sha512:` with hexadecimal digits. */
export function readDigest(digest: unknown): { algorithm: 'sha256' | 'sha512'; hex: string } {
  const found =
    typeof digest === 'string' && /^(?:sha256:([0-9a-f]{64})|sha512:([0-9a-f]{128}))$/.exec(digest)
  if (!found) throw badImage(`${JSON.stringify(digest)?.slice(0, 80)} is no digest that images use.`)
  return found[1] ? { algorithm: 'sha256', hex: found[1] } : { algorithm: 'sha512', hex: found[2]! }
}
