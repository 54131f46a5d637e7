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
  const number = (name: string, most = Number.MAX_SAFE_INTEGER): number => {
    const value = put[name] ?? 0
    if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most)
      throw bad(`no possible ${name}`)
    return value as number
  }
  const kind = put.kind as EntryKind
  if (!KINDS.includes(kind)) throw bad('no known kind')
  const mtime = put.mtime ?? 0
  if (!Number.isSafeInteger(mtime)) throw bad('no possible mtime')
  const common = {
    ...{ path, kind, mode: number('mode', 0o7777), mtime: mtime as number },
    ...{ mtimeNs: number('mtimeNs', 999_999_999), size: number('size') },
    ...(put.xattrs !== undefined && { xattrs: attributes(put.xattrs, bad) }),
  }
  if (kind === 'symlink') {
    if (
      typeof put.target !== 'string' ||
      put.target === '' ||
      put.target.length > MAX_PATH ||
      put.target.includes('\0')
    )
      throw bad('no possible target')
    return { ...common, size: Buffer.byteLength(put.target), target: put.target }
  }
  if (kind === 'character' || kind === 'block') return { ...common, device: number('device') }
  if (kind !== 'file') return { ...common, size: 0 }
  if (put.compression !== 'zlib') throw bad('another compression than zlib')
  const file = {
    ...common,
    compression: 'zlib' as const,
    ...(put.links !== undefined && { links: links(put.links, bad) }),
  }
  if (typeof put.content === 'string') return { ...file, content: hashFromText(put.content) }
  return { ...file, chunks: chunks(put.chunks, file.size, bad) }
}

function checkPath(path: unknown, under: string): string {
  if (typeof path !== 'string' || path.length > MAX_PATH) throw badChange('A path is missing or too long.')
  const names = path === '' ? [] : path.split('/').slice(1)
  const good = (name: string) =>
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    !name.includes('\0') &&
    Buffer.byteLength(name) <= MAX_NAME
  if ((path !== '' && !path.startsWith('/')) || !names.every(good))
    throw badChange(`${path} is no path in a repository.`)
  if (!isWithin(path, under)) throw badChange(`${path} is not below ${under}, which is published.`)
  return path
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
  const made = chunks
    ? { chunks: chunks.map(({ offset, size, hash }) => ({ offset, size, hash: textOf(hash) })) }
    : { content: content && textOf(content) }
  // What is undefined leaves no trace.
  const put = { path, kind, mode, mtime, mtimeNs, size, target, device, compression, ...made, xattrs, links }
  return JSON.stringify({ put })
}
