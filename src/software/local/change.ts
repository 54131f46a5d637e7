import { defineError } from '../../kernel/errors.ts'
import type { Chunk, Entry, EntryKind } from '../format/entry.ts'
import { isWithin } from '../format/entry.ts'
import { hashFromText, textOf } from '../format/hash.ts'

/** One line of a publication: an entry as it is to be, or a path that goes with all below it. */
export type Change = { readonly put: Entry } | { readonly remove: string }

const badChange = defineError('invalid', 'software_bad_change')
const KINDS: readonly string[] = ['directory', 'file', 'symlink', 'fifo', 'socket', 'character', 'block']
const MAX_PATH = 4096
const MAX_NAME = 255

/** Reads a line that came from elsewhere; everything in it is looked at. `under` is where it may lie. */
export function readChange(line: string, under: string): Change {
  let value: Record<string, unknown>
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw badChange('A line of the publication is no JSON.', {}, error)
  }
  if (typeof value?.remove === 'string') return { remove: checkPath(value.remove, under) }
  const put = value?.put as Record<string, unknown> | undefined
  if (typeof put !== 'object' || put === null) throw badChange('A line neither puts nor removes anything.')
  return { put: readEntry(put, under) }
}

function readEntry(put: Record<string, unknown>, under: string): Entry {
  const path = checkPath(put.path, under)
  const bad = (what: string) => badChange(`${path || '/'} has ${what}.`)
  const number = (name: string, said: unknown, most = Number.MAX_SAFE_INTEGER): number => {
    const value = said ?? 0
    if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most)
      throw bad(`no possible ${name}`)
    return value as number
  }
  const kind = put.kind as EntryKind
  if (!KINDS.includes(kind)) throw bad('no known kind')
  const mtime = put.mtime ?? 0
  if (!Number.isSafeInteger(mtime)) throw bad('no possible mtime')
  const isFile = kind === 'file'
  const isDevice = kind === 'character' || kind === 'block'
  const size = number('size', put.size)
  const target = kind === 'symlink' ? targetOf(put.target, bad) : undefined
  if (isFile && put.compression !== 'zlib') throw bad('another compression than zlib')
  const content = isFile && typeof put.content === 'string' ? hashFromText(put.content) : undefined
  return {
    path,
    kind,
    mode: number('mode', put.mode, 0o7777),
    mtime: mtime as number,
    mtimeNs: number('mtimeNs', put.mtimeNs, 999_999_999),
    size: isFile || isDevice ? size : Buffer.byteLength(target ?? ''),
    target,
    device: isDevice ? number('device', put.device) : undefined,
    content,
    compression: isFile ? 'zlib' : undefined,
    chunks: isFile && !content ? chunks(put.chunks, size, bad) : undefined,
    xattrs: put.xattrs === undefined ? undefined : attributes(put.xattrs, bad),
    links: isFile && put.links !== undefined ? links(put.links, bad) : undefined,
  }
}

function checkPath(path: unknown, under: string): string {
  if (typeof path !== 'string' || path.length > MAX_PATH) throw badChange('A path is missing or too long.')
  if (path !== '' && !(PATH.test(path) && namesFit(path)))
    throw badChange(`${path} is no path in a repository.`)
  if (!isWithin(path, under)) throw badChange(`${path} is not below ${under}, which is published.`)
  return path
}
/** Names with a slash before each, but `.` and `..`. */
const PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)+$/

/** A character has three bytes at most, or is two of them. */
const namesFit = (path: string): boolean =>
  3 * path.length <= MAX_NAME || path.split('/').every((name) => Buffer.byteLength(name) <= MAX_NAME)

function targetOf(value: unknown, bad: (what: string) => Error): string {
  if (typeof value !== 'string' || value === '' || value.length > MAX_PATH || value.includes('\0'))
    throw bad('no possible target')
  return value
}

function attributes(value: unknown, bad: (what: string) => Error): Record<string, string> {
  if (typeof value !== 'object' || value === null) throw bad('no possible attributes')
  for (const one of Object.values(value))
    if (typeof one !== 'string') throw bad('an attribute that is no text')
  return value as Record<string, string>
}

function links(value: unknown, bad: (what: string) => Error): { first: string; count: number } {
  const { first, count } = (value ?? {}) as { first?: unknown; count?: unknown }
  if (
    typeof first !== 'string' ||
    !Number.isSafeInteger(count) ||
    (count as number) < 2 ||
    (count as number) > 65_535
  )
    throw bad('no possible hard links')
  return { first, count: count as number }
}

function chunks(value: unknown, size: number, bad: (what: string) => Error): Chunk[] {
  if (!Array.isArray(value) || value.length === 0) throw bad('neither content nor chunks')
  let end = 0
  const found = value.map((chunk): Chunk => {
    const { size: length, hash } = (chunk ?? {}) as { size?: unknown; hash?: unknown }
    if (!Number.isSafeInteger(length) || (length as number) <= 0 || typeof hash !== 'string')
      throw bad('a chunk without size or hash')
    const made = { offset: end, size: length as number, hash: hashFromText(hash) }
    end += made.size
    return made
  })
  if (end !== size) throw bad('chunks that do not fill it')
  return found
}

/** The line of a change, as `readChange` reads it: the same fields in the same order, wherever an entry comes from. */
export function writeChange(change: Change): string {
  if ('remove' in change) return JSON.stringify(change)
  const { path, kind, mode, mtime, mtimeNs, size, target, device, compression } = change.put
  const { content, chunks, xattrs, links } = change.put
  // What is undefined leaves no trace.
  return JSON.stringify({
    put: {
      ...{ path, kind, mode, mtime, mtimeNs, size, target, device, compression },
      content: chunks ? undefined : content && textOf(content),
      chunks: chunks?.map(({ offset, size, hash }) => ({ offset, size, hash: textOf(hash) })),
      ...{ xattrs, links },
    },
  })
}
