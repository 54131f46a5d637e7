import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Readable, type Transform, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import { defineError } from '../../kernel/errors.ts'

const archiveFailed = defineError('transient', 'archive_failed')

export interface Archive {
  readonly sha256: string
  readonly bytes: number
}

/** Writes files and whole directories to a .tar.gz, each by its own name. Throws archive_failed where there is no tar. */
export async function packArchive(
  what: readonly { readonly directory: string; readonly name: string }[],
  target: string,
): Promise<Archive> {
  // Absolute, because each -C begins where the one before it led.
  const words = what.flatMap(({ directory, name }) => ['-C', resolve(directory), `./${name}`])
  const tar = spawn('tar', ['-cf', '-', ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = endOf(tar, 'tar')
  await Promise.all([
    ended,
    pipeline(tar.stdout, zlib.createGzip(), createWriteStream(target, { mode: 0o600 })),
  ])
  return describeArchive(target)
}

/** Size and sha256 of a file. */
export async function describeArchive(file: string): Promise<Archive> {
  const sum = createHash('sha256')
  for await (const chunk of createReadStream(file)) sum.update(chunk as Buffer)
  return { sha256: sum.digest('hex'), bytes: (await stat(file)).size }
}

/**
 * Unpacks a .tar.gz, .tar.zst or .tar.bz2 with `tar`, the program that reads the plain archive from its input. What
 * this Node cannot decompress the machine's zstd or bzip2 does. Throws archive_failed, also for more than `mostBytes`.
 */
export async function unpackArchive(
  file: string,
  format: string,
  order: {
    readonly tar: readonly string[]
    readonly directory: string
    readonly mostBytes: number
    readonly environment?: NodeJS.ProcessEnv
  },
): Promise<void> {
  const [program, ...words] = order.tar as readonly [string, ...string[]]
  const tar = spawn(program, words, {
    ...{ cwd: order.directory, stdio: ['pipe', 'ignore', 'pipe'] },
    ...(order.environment && { env: order.environment }),
  })
  const ended = endOf(tar, 'tar')
  const { plain, over } = decompressed(createReadStream(file), format)
  const fed = pipeline(Readable.from(atMost(plain, order.mostBytes)), tar.stdin as Writable)
  // When tar gives up, that is the reason, and the broken pipe its consequence.
  const [tarEnd, feedEnd, programEnd] = await Promise.allSettled([ended, fed, over])
  if (feedEnd.status === 'rejected' && isTooLarge(feedEnd.reason)) throw feedEnd.reason
  if (tarEnd.status === 'fulfilled' && feedEnd.status === 'rejected' && isBrokenOff(feedEnd.reason)) return
  for (const end of [programEnd, tarEnd, feedEnd]) if (end.status === 'rejected') throw end.reason
}

/** Tar has what it needs before its input ends: what it leaves, at times only the end itself, breaks off. */
const isBrokenOff = (error: { code?: string }): boolean =>
  ['EPIPE', 'ECONNRESET', 'ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'].includes(
    error.code ?? '',
  )

type Decompressor = () => Transform

/** Zstandard came to Node with 22.15 and 23.8. */
const zstdHere = (zlib as { createZstdDecompress?: Decompressor }).createZstdDecompress

/** A packed archive as it is plain; `over` is when all of it was read. */
export function decompressed(
  source: Readable,
  format: string,
): { plain: AsyncIterable<Uint8Array>; over: Promise<void> } {
  const inside: Decompressor | undefined =
    format === 'tar.gz' ? zlib.createGunzip : format === 'tar.zst' ? zstdHere : undefined
  if (inside) {
    const stage = inside()
    return { plain: stage, over: pipeline(source, stage) }
  }
  const command = { 'tar.zst': 'zstd', 'tar.bz2': 'bzip2' }[format]
  if (!command) throw archiveFailed(`Nobody here knows how to unpack a ${format}.`)
  const program = spawn(command, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] })
  return {
    plain: program.stdout,
    over: Promise.all([endOf(program, command), pipeline(source, program.stdin)]).then(() => undefined),
  }
}

async function* atMost(body: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > most)
      throw archiveFailed(`The archive holds more than ${Math.floor(most / 2 ** 20)} MiB.`, {
        tooLarge: true,
      })
    yield chunk
  }
}

const isTooLarge = (error: unknown): boolean =>
  (error as { details?: { tooLarge?: boolean } }).details?.tooLarge === true

async function endOf(program: ChildProcess, name: string): Promise<void> {
  let said = ''
  program.stderr?.on('data', (chunk: Buffer) => {
    if (said.length < 500) said += chunk.toString()
  })
  const exit = once(program, 'close').catch((error: NodeJS.ErrnoException) => {
    throw archiveFailed(
      error.code === 'ENOENT' ? `There is no program ${name} on this machine.` : error.message,
      {},
      error,
    )
  })
  const [code] = await exit
  if (code !== 0) throw archiveFailed(`${name} ended with ${code}: ${said.trim().split('\n')[0] ?? ''}`)
}
