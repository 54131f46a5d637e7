import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  ftruncateSync,
  futimesSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { defineError } from '../../kernel/errors.ts'
import type { Entry } from '../format/entry.ts'
import { textOf } from '../format/hash.ts'
import { HELD_BYTES } from '../format/incoming.ts'
import type { Repository, Snapshot } from '../reader/repository.ts'
import { SMALL_BYTES, smallAtOnce } from '../reader/together.ts'
import { keptAt, sharedMode } from './kept.ts'
import { link } from './link-work.ts'
import { linked } from './linked.ts'
import { NOTE, readNote, sayUsed } from './tree-note.ts'
import { giveAttributes } from './write-attributes.ts'

const notOurs = defineError('conflict', 'software_directory_in_use')

export interface MaterialiseOptions {
  readonly repository: Repository
  readonly snapshot: Snapshot
  readonly directory: string
  /** Where files of all trees are kept once; on the same file system as the directory they are shared by hard links. */
  readonly store: string
  /** Files of its own, writable as published; shared blocks where the file system can. */
  readonly copy?: boolean
  /** Part of the repository, which becomes the directory. */
  readonly path?: string
  readonly environment?: NodeJS.ProcessEnv
  readonly onPlan?: (plan: { files: number; bytes: number }) => void
  readonly onFile?: (bytes: number) => void
  readonly signal?: AbortSignal | undefined
}

export interface Materialised {
  readonly entries: number
  readonly fetched: number
  readonly fetchedBytes: number
  /** Files that were in the store already. */
  readonly present: number
  /** The directory was this tree already. */
  readonly unchanged: boolean
  /** Entries that this account cannot make, such as devices. */
  readonly leftOut: readonly string[]
  /** Entries that could not be given their extended attributes. */
  readonly withoutAttributes: readonly string[]
}

/**
 * Makes a tree of a repository a directory, whole or not at all: it is built beside and renamed. Every object is
 * compared with its name when it is fetched; what an interrupted attempt fetched is not fetched again.
 */
export async function materialise(options: MaterialiseOptions): Promise<Materialised> {
  const { repository, snapshot, path = '', signal } = options
  const directory = resolve(options.directory)
  const note = JSON.stringify({
    repository: repository.name,
    root: textOf(snapshot.root),
    path,
    copy: options.copy === true,
  })
  const there = lstatSync(directory, { throwIfNoEntry: false })
  if (there?.isDirectory()) {
    const before = readNote(directory)
    if (before === note) {
      sayUsed(directory)
      return {
        ...{ entries: 0, fetched: 0, fetchedBytes: 0, present: 0, unchanged: true },
        ...{ leftOut: [], withoutAttributes: [] },
      }
    }
    if (before === undefined && readdirSync(directory).length > 0)
      throw notOurs(`${directory} is not empty and was not made by kumi software; choose another directory.`)
  } else if (there) throw notOurs(`${directory} is a file.`)

  const entries: Entry[] = []
  for await (const entry of snapshot.walk(path)) entries.push(entry)
  const building = `${directory}.${randomUUID().slice(0, 8)}.part`
  mkdirSync(dirname(directory), { recursive: true })
  try {
    const result = await build(entries, building, options)
    signal?.throwIfAborted()
    writeFileSync(join(building, NOTE), note)
    const old = `${building}.old`
    if (there) renameSync(directory, old)
    try {
      renameSync(building, directory)
    } catch (error) {
      // Another one made the same tree meanwhile.
      if (there || readNote(directory) !== note) throw error
      removeTree(building)
    }
    removeTree(old)
    return { ...result, unchanged: false }
  } catch (error) {
    removeTree(building)
    throw error
  }
}

async function build(
  entries: readonly Entry[],
  building: string,
  options: MaterialiseOptions,
): Promise<Omit<Materialised, 'unchanged'>> {
  const { store, path = '', copy = false, environment = process.env, signal } = options
  const at = (entry: Entry) => `${building}${entry.path.slice(path.length)}`
  const files = entries.filter(({ kind }) => kind === 'file')
  const [leftOut, withoutAttributes]: [string[], string[]] = [[], []]
  const give = async (entry: Entry, file: string) => {
    if (entry.xattrs && !(await giveAttributes(file, entry.xattrs))) withoutAttributes.push(entry.path)
  }
  options.onPlan?.({ files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) })
  for (const entry of entries) {
    // Writable while it is filled; its own mode comes last.
    if (entry.kind === 'directory') mkdirSync(at(entry), { mode: 0o700, recursive: true })
    else if (entry.kind === 'symlink') {
      symlinkSync(substitute(entry.target ?? '', environment), at(entry))
      lutimesSync(at(entry), entry.mtime, entry.mtime)
    } else if (entry.kind !== 'file') leftOut.push(entry.path)
  }
  let [fetched, fetchedBytes] = [0, 0]
  const present = new Set<string>()
  const left: Entry[] = []
  for await (const { entry, kept, result } of linked(files, { store, signal, at: copy ? undefined : at })) {
    if (result !== 'absent') present.add(kept)
    if (result === 'linked') options.onFile?.(entry.size)
    else left.push(entry)
  }
  const under = new Map<string, Promise<void>>()
  const made = new Set<string>()
  async function one(entry: Entry): Promise<void> {
    const kept = keptAt(store, entry)
    if (!present.has(kept)) {
      const known = under.get(kept)
      const fetching = known ?? keep(entry, kept, options, { made, give })
      under.set(kept, fetching)
      await fetching
      if (!known) {
        fetched++
        fetchedBytes += entry.size
      }
    }
    if (!copy && link(kept, at(entry))) return
    copyFileSync(kept, at(entry), constants.COPYFILE_FICLONE)
    if (entry.xattrs) {
      chmodSync(at(entry), 0o600)
      await give(entry, at(entry))
    }
    // Owners are not kept: set-id bits would be those of another.
    chmodSync(at(entry), copy ? entry.mode & 0o777 : sharedMode(entry))
    utimesSync(at(entry), entry.mtime, entry.mtime)
  }
  // Attributes are given by a program.
  const isSmall = ({ size, chunks, xattrs }: Entry) => size <= SMALL_BYTES && !chunks && !xattrs
  await smallAtOnce(left, isSmall, async (entry) => {
    signal?.throwIfAborted()
    await one(entry)
    options.onFile?.(entry.size)
  })
  for (const entry of entries.filter(({ kind }) => kind === 'directory').reverse()) {
    await give(entry, at(entry))
    utimesSync(at(entry), entry.mtime, entry.mtime)
    // The owner can always clear away what he fetched.
    chmodSync(at(entry), (entry.mode & 0o777) | 0o700)
  }
  return { entries: entries.length, fetched, fetchedBytes, present: present.size, leftOut, withoutAttributes }
}

/** Fetches a file into the store. */
async function keep(
  entry: Entry,
  kept: string,
  { repository, signal }: MaterialiseOptions,
  { made, give }: { made: Set<string>; give: (entry: Entry, file: string) => Promise<void> },
): Promise<void> {
  const temporary = `${kept}.${randomUUID()}`
  const directory = dirname(kept)
  if (!made.has(directory)) mkdirSync(directory, { recursive: true })
  made.add(directory)
  let handle: number | undefined
  /** From its beginning, also where another server began. Opened for the first bytes: many wait for theirs at once. */
  const writeAt = async (offset: number, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) => {
    if (handle !== undefined) ftruncateSync(handle, offset)
    let at = offset
    for await (const piece of pieces) {
      signal?.throwIfAborted()
      handle ??= openSync(temporary, 'wx', 0o600)
      writeAll(handle, piece, at)
      at += piece.length
    }
  }
  try {
    try {
      for (const { hash, kind, size, offset } of partsOf(entry)) {
        const facts = { size, compression: entry.compression }
        if (size > HELD_BYTES)
          await repository.content({ hash, kind }, facts, (pieces) => writeAt(offset, pieces))
        else await writeAt(offset, [await repository.object(hash, kind, facts)])
      }
      handle ??= openSync(temporary, 'wx', 0o600)
      if (entry.xattrs) await give(entry, temporary)
      futimesSync(handle, entry.mtime, entry.mtime)
      fchmodSync(handle, sharedMode(entry))
    } finally {
      if (handle !== undefined) closeSync(handle)
    }
    renameSync(temporary, kept)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** The objects that a file is made of. */
function partsOf({ content, chunks, size }: Entry) {
  if (chunks) return chunks.map((chunk) => ({ ...chunk, kind: 'chunk' as const }))
  return content && size > 0 ? [{ hash: content, kind: 'file' as const, size, offset: 0 }] : []
}

function writeAll(handle: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(handle, bytes, done, bytes.length - done, at + done)
}

/** `$(ARCH:-x86_64)` in the text of a link, as the client of CVMFS replaces it. */
export function substitute(target: string, environment: NodeJS.ProcessEnv): string {
  return target.replace(
    /\$\(([A-Za-z_][A-Za-z0-9_]*)(?::-([^)]*))?\)/g,
    (_whole, name: string, otherwise: string | undefined) => environment[name] ?? otherwise ?? '',
  )
}

function removeTree(directory: string): void {
  rmSync(directory, { recursive: true, force: true })
}
