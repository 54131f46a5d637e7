import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import type { Logger } from '../../kernel/log.ts'
import { type ByteRange, fromSystem, storageFull } from '../../storage/index.ts'
import { type ContentHash, hashFromPath, hashOf, sameHash, textOf } from '../format/hash.ts'
import { HELD_BYTES, type Incoming, isGreat, isWrong, verified, verifiedBytes } from '../format/incoming.ts'

const UNFINISHED = '.part'
/** Larger pieces gain no speed worth having. */
const READ_PIECE = 256 << 10

/** An object as it is stored: in memory, or a file that is read when it is asked for. */
export interface StoredObject {
  readonly length: number
  /** All of it, or a part. Throws `no_such_file` when it was given up since. */
  read(range?: ByteRange): Promise<Buffer | Readable>
}

/** Objects as files of a directory, not more bytes than there is to be; the one not wanted for the longest goes first. */
export interface ObjectFiles {
  /** One that is kept and that is what its name says. */
  find(hash: ContentHash): Promise<StoredObject | undefined>
  /**
   * Keeps one that comes, when it is what its name says; throws as `verified` otherwise. Small ones are given also when
   * they cannot be kept; for great ones it throws `storage_full` then, or what the file system says.
   */
  take(hash: ContentHash, incoming: Incoming): Promise<StoredObject>
  counts(): { readonly evictions: number; readonly bytes: number }
}

export async function objectFiles(options: {
  directory: string
  mostBytes: number
  log: Logger
}): Promise<ObjectFiles> {
  const { directory, mostBytes, log } = options
  const fileOf = (hash: ContentHash) => join(directory, hash.hex.slice(0, 2), textOf(hash).slice(2))
  /** Bytes of each file, in the order in which they were wanted last. */
  const files = await keptFiles(directory)
  /** Great files that were gone through whole since the start, as they were then. */
  const sound = new Map<string, string>()
  const looking = new Map<string, Promise<boolean>>()
  let total = [...files.values()].reduce((sum, size) => sum + size, 0)
  let evictions = 0
  /** Bytes of great objects that are still to come: room that only seems free. */
  let promised = 0

  function drop(file: string): void {
    total -= files.get(file) ?? 0
    files.delete(file)
    sound.delete(file)
  }
  async function giveUp(file: string): Promise<void> {
    drop(file)
    await rm(file, { force: true })
  }
  /** A great one stays until the next comes, even if it alone is more than there is to be. */
  async function added(file: string, size: number): Promise<void> {
    drop(file)
    files.set(file, size)
    total += size
    for (const oldest of files.keys()) {
      if (total <= mostBytes || (oldest === file && size > HELD_BYTES)) break
      evictions++
      await giveUp(oldest)
    }
  }

  async function keepSmall(file: string, bytes: Buffer): Promise<void> {
    const unfinished = unfinishedOf(file)
    try {
      await mkdir(dirname(file), { recursive: true })
      await writeFile(unfinished, bytes)
      await rename(unfinished, file)
    } catch (error) {
      // A full disk keeps nobody from the software.
      log.warn({ err: error, file }, 'an object of a software repository was not kept')
      await rm(unfinished, { force: true })
      return
    }
    await added(file, bytes.length)
  }

  /** Room for a great object, on the disk and among what is kept: promised to it before it takes that of others. */
  async function makeRoom(length: number): Promise<void> {
    const { bavail, bsize } = await statfs(directory)
    const free = bavail * bsize - promised
    if (length > free + total)
      throw storageFull(
        `The disk is full where objects of software are kept: one has ${length} bytes, ${free} are free.`,
      )
    promised += length
    let freed = 0
    for (const [oldest, size] of files) {
      if (total + length <= mostBytes && free + freed >= length) break
      freed += size
      evictions++
      await giveUp(oldest)
    }
  }
  async function keepGreat(file: string, length: number, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const unfinished = unfinishedOf(file)
    let missing = 0
    const counted = async function* () {
      for await (const piece of pieces) {
        yield piece
        missing -= piece.length
        promised -= piece.length
      }
    }
    try {
      await mkdir(dirname(file), { recursive: true })
      await makeRoom(length)
      missing = length
      await writeFile(unfinished, counted(), { flag: 'wx' })
      await rename(unfinished, file)
    } catch (error) {
      await rm(unfinished, { force: true })
      throw fromSystem(error, 'an object of software')
    } finally {
      promised -= missing
    }
    const stamp = await stampOf(file)
    await added(file, length)
    if (stamp !== undefined) sound.set(file, stamp)
  }

  async function findSmall(file: string, hash: ContentHash): Promise<StoredObject | undefined> {
    const bytes = await readFile(file).catch(() => undefined)
    if (bytes && sameHash(hashOf(bytes, hash.algorithm), hash)) return inMemory(bytes)
    drop(file)
    return undefined
  }
  /** Goes through a great file once for all who want it, and again only when it is not as it was then. */
  function isSound(file: string, hash: ContentHash): Promise<boolean> {
    const known = looking.get(file)
    if (known) return known
    const look = (async () => {
      const [stamp, length] = [await stampOf(file), files.get(file)]
      if (stamp !== undefined && stamp === sound.get(file)) return true
      try {
        const body = createReadStream(file, { highWaterMark: READ_PIECE })
        for await (const _piece of verified({ length, body }, hash));
      } catch (error) {
        log.warn({ err: error, file }, 'a kept object of a software repository is not what it was')
        await giveUp(file)
        return false
      }
      if (stamp !== undefined) sound.set(file, stamp)
      return true
    })().finally(() => looking.delete(file))
    looking.set(file, look)
    return look
  }
  const inFile = (file: string, length: number, hash: ContentHash): StoredObject => ({
    length,
    async read(range) {
      const handle = await open(file).catch((error) => {
        throw fromSystem(error, `Object ${textOf(hash)}`)
      })
      const body = handle.createReadStream({ highWaterMark: READ_PIECE, ...range })
      if (range) return body
      // Compared while it goes: what rotted in between breaks off, and is not found the next time.
      const compared = async function* () {
        try {
          yield* verified({ length, body }, hash)
        } catch (error) {
          if (isWrong(error)) await giveUp(file)
          throw error
        }
      }
      const whole = Readable.from(compared(), { objectMode: false })
      return whole.once('close', () => body.destroy())
    },
  })

  return {
    counts: () => ({ evictions, bytes: total }),
    async find(hash) {
      const file = fileOf(hash)
      const size = files.get(file)
      if (size === undefined) return undefined
      const found =
        size <= HELD_BYTES
          ? await findSmall(file, hash)
          : (await isSound(file, hash))
            ? inFile(file, size, hash)
            : undefined
      // It may have been given up meanwhile.
      if (found && files.delete(file)) files.set(file, size)
      return found
    },
    async take(hash, incoming) {
      const file = fileOf(hash)
      if (isGreat(incoming)) {
        await keepGreat(file, incoming.length, verified(incoming, hash))
        return inFile(file, incoming.length, hash)
      }
      const bytes = await verifiedBytes(incoming, hash)
      await keepSmall(file, bytes)
      return inMemory(bytes)
    },
  }
}

const inMemory = (bytes: Buffer): StoredObject => ({
  length: bytes.length,
  read: async (range) => (range ? bytes.subarray(range.start, range.end + 1) : bytes),
})

/** The same object may come twice at once, by two of its paths. */
const unfinishedOf = (file: string): string => `${file}.${randomUUID()}${UNFINISHED}`

/** Changes whenever the file does. */
async function stampOf(file: string): Promise<string | undefined> {
  const facts = await stat(file).catch(() => undefined)
  return facts && `${facts.ino} ${facts.size} ${facts.mtimeMs} ${facts.ctimeMs}`
}

/** What an earlier run left: its objects, the oldest first; what it did not finish is removed. */
async function keptFiles(directory: string): Promise<Map<string, number>> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const found: { file: string; size: number; at: number }[] = []
  for (const inside of await readdir(directory))
    for (const rest of await readdir(join(directory, inside))) {
      const file = join(directory, inside, rest)
      if (!hashFromPath(`data/${inside}/${rest}`)) {
        await rm(file, { force: true })
        continue
      }
      const { size, mtimeMs } = await stat(file)
      found.push({ file, size, at: mtimeMs })
    }
  found.sort((a, b) => a.at - b.at)
  return new Map(found.map(({ file, size }) => [file, size]))
}
