import { randomUUID } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  statfs,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkDigests, type Digests } from './digests.ts'
import type { Entry, StorageDriver, StoragePath } from './driver.ts'
import {
  alreadyExists,
  badPath,
  directoryNotEmpty,
  fromSystem,
  isADirectory,
  noParent,
  noSuchFile,
  notADirectory,
  sizeMismatch,
  storageFull,
} from './errors.ts'
import { checkPath, HIDDEN, isWithin, show } from './names.ts'
import { sumWhile, useAll } from './sum-while.ts'

/** Larger pieces gain no speed worth having, but each lives until the next collection. */
const READ_PIECE = 256 << 10
/** Files whose digests are in memory, too: those written last, which are asked for soon. */
const MOST_RECENT = 10_000

/** Smaller files are not worth a look at how much is free. */
const WORTH_A_LOOK = 1 << 20

interface DigestRecord extends Digests {
  readonly size: number
  readonly mtimeMs: number
}

export interface PosixDriver extends StorageDriver {
  /**
   * Removes what writers killed earlier left behind; call once before serving. Where several programs share a
   * directory, `before` spares what others are writing.
   */
  sweep(before?: Date): Promise<number>
  /** How much the file system holds and how much of it is free, in bytes. */
  space(): Promise<{ totalBytes: number; freeBytes: number }>
  /** Digests as stored, even when the file's time or size differ: what a scrub compares with. */
  recorded(path: StoragePath): Promise<(Digests & { size: number }) | undefined>
}

/**
 * A directory tree of the local file system. Not `summed`: what is in it is known by its content anyway, so checksums are
 * made when somebody asks for them instead of while it is written.
 */
export function posixDriver(root: string, { summed = true }: { summed?: boolean } = {}): PosixDriver {
  const incoming = join(root, '.kumi', 'incoming')
  const digestRoot = join(root, '.kumi', 'digests')
  const recent = new Map<string, DigestRecord>()
  let realRoot: string | undefined

  /** The file system path, after making sure that no parent is a symbolic link leading elsewhere. */
  async function place(path: StoragePath): Promise<string> {
    checkPath(path)
    realRoot ??= await realpath(root)
    if (path.length === 0) return realRoot
    const parent = join(realRoot, ...path.slice(0, -1))
    const real = await realpath(parent)
    if (real !== parent) throw badPath('The path leads through a symbolic link.')
    return join(parent, path.at(-1)!)
  }

  /** The same, with missing parents made. */
  async function placeWithParents(path: StoragePath): Promise<string> {
    try {
      return await place(path)
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOENT') throw error
    }
    // One level at a time, so that a link planted in the middle is noticed before anything is made behind it.
    for (let depth = 1; depth < path.length; depth++) {
      await mkdir(await place(path.slice(0, depth))).catch((error) => {
        if (error.code !== 'EEXIST') throw error
      })
    }
    return place(path)
  }

  async function facts(path: StoragePath): Promise<Entry | undefined> {
    try {
      const found = await lstat(await place(path))
      if (!found.isFile() && !found.isDirectory()) return undefined
      return {
        name: path.at(-1) ?? '',
        directory: found.isDirectory(),
        size: found.isDirectory() ? 0 : found.size,
        modified: found.mtime,
      }
    } catch (error) {
      const code = (error as { code?: string }).code
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw fromSystem(error, show(path))
    }
  }

  async function recorded(path: StoragePath): Promise<DigestRecord | undefined> {
    checkPath(path)
    try {
      return JSON.parse(await readFile(join(digestRoot, ...path), 'utf8'))
    } catch {
      return undefined
    }
  }

  /** Digests as kept beside the file; undefined when there are none or the file changed since. */
  async function kept(path: StoragePath, seen?: Entry): Promise<Digests | undefined> {
    const record = recent.get(show(path)) ?? (await recorded(path))
    const now = record && (seen ?? (await facts(path)))
    if (!record || !now || record.size !== now.size) return undefined
    if (Math.abs(record.mtimeMs - now.modified.getTime()) > 1) return undefined
    return { adler32: record.adler32, md5: record.md5 }
  }

  async function forget(path: StoragePath): Promise<void> {
    recent.delete(show(path))
    await rm(join(digestRoot, ...path), { recursive: true, force: true })
  }

  async function keep(path: StoragePath, record: DigestRecord): Promise<void> {
    const at = join(digestRoot, ...path)
    const temporary = join(incoming, `${randomUUID()}.digest`)
    recent.delete(show(path))
    await writeFile(temporary, JSON.stringify(record))
    await rename(temporary, at).catch(async (error) => {
      if (error.code === 'EISDIR' || error.code === 'ENOTEMPTY' || error.code === 'EEXIST')
        await rm(at, { recursive: true })
      await mkdir(dirname(at), { recursive: true })
      await rename(temporary, at)
    })
    if (recent.size >= MOST_RECENT) recent.delete(recent.keys().next().value!)
    recent.set(show(path), record)
  }

  /** A file that cannot fit should not first take the room of those that do. */
  async function refuseWhatDoesNotFit(size: number | undefined): Promise<void> {
    if (size === undefined || size < WORTH_A_LOOK) return
    const { freeBytes } = await driver.space()
    if (size > freeBytes)
      throw storageFull(
        `The storage is full: the file has ${size} bytes, ${freeBytes} are free. Choose another storage.`,
        { class: 'final' },
      )
  }

  async function syncDirectory(path: string): Promise<void> {
    const handle = await open(path, 'r')
    await handle.sync().finally(() => handle.close())
  }

  const driver: PosixDriver = {
    stat: facts,
    recorded,
    async space() {
      const fs = await statfs(root)
      return { totalBytes: fs.blocks * fs.bsize, freeBytes: fs.bavail * fs.bsize }
    },
    async sweep(before) {
      await mkdir(incoming, { recursive: true })
      await mkdir(digestRoot, { recursive: true })
      let removed = 0
      for (const name of await readdir(incoming)) {
        const modified = before && (await lstat(join(incoming, name)).catch(() => undefined))?.mtime
        if (before && (!modified || modified >= before)) continue
        await rm(join(incoming, name), { force: true })
        removed++
      }
      return removed
    },
    async list(path) {
      const self = await facts(path)
      if (!self) throw noSuchFile(`${show(path)} does not exist.`)
      if (!self.directory) throw notADirectory(`${show(path)} is a file.`)
      const names = (await readdir(await place(path)))
        .filter((name) => path.length > 0 || !HIDDEN.has(name))
        .sort()
      const entries: Entry[] = []
      for (let i = 0; i < names.length; i += 64) {
        const some = await Promise.all(names.slice(i, i + 64).map((name) => facts([...path, name])))
        for (const entry of some) if (entry) entries.push(entry)
      }
      return entries
    },
    async read(path, range) {
      let handle: FileHandle
      try {
        handle = await open(await place(path), constants.O_RDONLY | constants.O_NOFOLLOW)
      } catch (error) {
        if ((error as { code?: string }).code === 'ENOTDIR') throw noSuchFile(`${show(path)} does not exist.`)
        throw fromSystem(error, show(path))
      }
      if (!(await handle.stat()).isFile()) {
        await handle.close()
        throw isADirectory(`${show(path)} is a directory.`)
      }
      return createReadStream('', { fd: handle, highWaterMark: READ_PIECE, ...range })
    },
    async write(path, body, options) {
      const temporary = join(incoming, randomUUID())
      try {
        if (path.length === 0) throw isADirectory(`${show(path)} is a directory.`)
        const target = await placeWithParents(path)
        const before = await lstat(target).catch(nothingThere)
        if (before?.isDirectory()) throw isADirectory(`${show(path)} is a directory.`)
        if (before && !options.overwrite) throw alreadyExists(`${show(path)} exists already.`)
        await refuseWhatDoesNotFit(options.size)
        const handle = await open(temporary, 'wx', 0o600)
        const sum = summed || options.expected !== undefined
        const filled = await fill(handle, body, options.size, sum).finally(() => handle.close())
        const { mtimeMs: _, ...written } = filled
        checkDigests(options.expected, written)
        const note = () => (isSummed(filled) ? keep(path, filled) : forget(path))
        options.signal?.throwIfAborted()
        if (options.overwrite) {
          await note()
          await rename(temporary, target)
        } else {
          // link() refuses an existing name in one step, where rename() would replace it.
          await link(temporary, target)
          await note()
          await unlink(temporary)
        }
        await syncDirectory(dirname(target))
        return { ...written, created: !before }
      } catch (error) {
        await rm(temporary, { force: true })
        throw fromSystem(error, show(path))
      }
    },
    async makeDirectory(path) {
      if (path.length === 0) throw alreadyExists('The area exists already.')
      try {
        await mkdir(await place(path))
      } catch (error) {
        const code = (error as { code?: string }).code
        if (code === 'ENOENT' || code === 'ENOTDIR')
          throw noParent(`The parent of ${show(path)} does not exist.`)
        throw fromSystem(error, show(path))
      }
    },
    async move(from, to, { overwrite }) {
      const source = await facts(from)
      const target = await facts(to)
      if (!source || from.length === 0) throw noSuchFile(`${show(from)} does not exist.`)
      if (isWithin(to, from)) throw badPath('A thing cannot be moved onto or into itself.')
      if (target && (!overwrite || target.directory || source.directory))
        throw alreadyExists(`${show(to)} exists already.`)
      try {
        const there = await placeWithParents(to)
        const here = await place(from)
        if (source.directory || overwrite) await rename(here, there)
        else {
          await link(here, there)
          await unlink(here)
        }
        await syncDirectory(dirname(there))
      } catch (error) {
        throw fromSystem(error, show(from))
      }
      // A directory takes the records of all that is in it along.
      recent.clear()
      const record = join(digestRoot, ...to)
      await mkdir(dirname(record), { recursive: true })
      await rename(join(digestRoot, ...from), record).catch(() => undefined)
    },
    async remove(path, { recursive = false } = {}) {
      const found = await facts(path)
      if (!found || path.length === 0) throw noSuchFile(`${show(path)} does not exist.`)
      try {
        const at = await place(path)
        if (!found.directory) await unlink(at)
        else if (recursive) await rm(at, { recursive: true })
        else if ((await readdir(at)).length > 0) throw directoryNotEmpty(`${show(path)} is not empty.`)
        else await rmdir(at)
      } catch (error) {
        throw fromSystem(error, show(path))
      }
      if (found.directory) recent.clear()
      await forget(path)
    },
    async sum(path) {
      const { size: _, ...digests } = await sumWhile(await driver.read(path), async () => undefined)
      return digests
    },
    async digest(path, seen) {
      const known = await kept(path, seen)
      if (known) return known
      const digests = await driver.sum(path)
      const now = await facts(path)
      // A file that came from outside has no record yet; one that differs from its record keeps it for the scrub.
      if (now && !(await recorded(path)))
        await keep(path, { ...digests, size: now.size, mtimeMs: now.modified.getTime() })
      return digests
    },
  }
  return driver
}

type Filled = Omit<DigestRecord, keyof Digests> & Partial<Digests>
const isSummed = (filled: Filled): filled is DigestRecord => filled.md5 !== undefined

/** Writes a body, summing it if it is to; complete, of the announced length, and on disk when this resolves. */
async function fill(
  handle: FileHandle,
  body: AsyncIterable<Uint8Array>,
  announced: number | undefined,
  sum: boolean,
): Promise<Filled> {
  const use = (bytes: Uint8Array, at: number) => writeAll(handle, bytes, at)
  const filled = await (sum ? sumWhile : useAll)(body, use, { most: announced })
  if (announced !== undefined && filled.size !== announced)
    throw sizeMismatch(`The body has ${filled.size} bytes, but ${announced} were announced.`, {
      class: 'transient',
    })
  await handle.sync()
  return { ...filled, mtimeMs: (await handle.stat()).mtimeMs }
}

/** A nearly full disk writes short first and fails the next time. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten
}

function nothingThere(error: { code?: string }): undefined {
  if (error.code !== 'ENOENT') throw error
}
