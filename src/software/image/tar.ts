import { closeSync, openSync } from 'node:fs'
import { type Bytes, fill } from './bytes.ts'
import { badImage } from './errors.ts'
import { BLOCK, type Header, readHeader, readRecords } from './tar-header.ts'

export type TarKind = 'file' | 'directory' | 'symlink' | 'link' | 'fifo' | 'device'

/** One entry of a tar archive. Its name may be anything: whoever uses it decides where it leads. */
export interface TarEntry {
  readonly kind: TarKind
  readonly name: string
  /** Text of a symbolic link, or the name that a hard link repeats. */
  readonly target: string
  /** Permission bits, with set-id and sticky. */
  readonly mode: number
  readonly mtime: number
  readonly mtimeNs: number
  /** Where its header begins, from the beginning of the archive. */
  readonly header: number
  /** Where in the file the content lies. */
  readonly content: Bytes
  /** Extended attributes by name. */
  readonly xattrs: ReadonlyMap<string, Buffer>
}

const KINDS: Readonly<Record<string, TarKind>> = {
  ...{
    '0': 'file',
    '1': 'link',
    '2': 'symlink',
    '3': 'device',
    '4': 'device',
    '5': 'directory',
    '6': 'fifo',
  },
}
/** A long name or an extended header greater than this is no honest one. */
const MOST_META = 1 << 20
const XATTR = 'SCHILY.xattr.'

/**
 * Entries of a plain tar archive, in its order; contents are not read. Throws `software_bad_image` when it is damaged,
 * cut off, or says something that this reader does not know, rather than to leave something out.
 */
export function* readTar(archive: Bytes): Generator<TarEntry> {
  const { file, start, length } = archive
  const what = 'The tar archive'
  const handle = openSync(file, 'r')
  try {
    const block = Buffer.alloc(BLOCK)
    let global: ReadonlyMap<string, Buffer> = new Map()
    let local: ReadonlyMap<string, Buffer> = new Map()
    let [longName, longTarget]: [Buffer | undefined, Buffer | undefined] = [undefined, undefined]
    for (let at = 0; at + BLOCK <= length; ) {
      fill(handle, block, start + at, what)
      if (block.every((byte) => byte === 0)) return
      const header = readHeader(block)
      const content = at + BLOCK
      const records = new Map([...global, ...local])
      // An extended header says a size for the entry, never for another header.
      const meta = 'xgLK'.includes(header.type)
      const size = contentSize(header, meta ? new Map() : records)
      if (content + size > length) throw badImage(`${what} ends too early.`)
      const next = content + Math.ceil(size / BLOCK) * BLOCK
      if (meta) {
        if (size > MOST_META) throw badImage(`${what} has a name or an extended header that is too long.`)
        const bytes = Buffer.alloc(size)
        fill(handle, bytes, start + content, what)
        if (header.type === 'x') local = readRecords(bytes)
        else if (header.type === 'g') global = new Map([...global, ...readRecords(bytes)])
        else if (header.type === 'L') longName = withoutEnd(bytes)
        else longTarget = withoutEnd(bytes)
      } else {
        const said = { ...header, name: longName ?? header.name, target: longTarget ?? header.target }
        yield entryOf(said, records, at, { file, start: start + content, length: size })
        local = new Map()
        longName = undefined
        longTarget = undefined
      }
      at = next
    }
    if (length % BLOCK !== 0) throw badImage(`${what} ends too early.`)
  } finally {
    closeSync(handle)
  }
}

/** Only files have content, whatever a header says. */
function contentSize(header: Header, records: ReadonlyMap<string, Buffer>): number {
  if ('123456'.includes(header.type)) return 0
  const size = records.get('size')?.toString('latin1')
  if (size === undefined) return header.size
  if (!/^\d{1,15}$/.test(size)) throw badImage('A size in the tar archive is none.')
  return Number(size)
}

function entryOf(header: Header, records: ReadonlyMap<string, Buffer>, at: number, content: Bytes): TarEntry {
  const name = textOf(records.get('path') ?? header.name, 'A name')
  if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.')) || header.type === 'S')
    throw badImage(`${name} is a sparse file in the tar archive; write the archive without --sparse.`)
  const known = KINDS[header.type]
  if (!known) throw badImage(`${name} is of a type that tar archives of images do not have.`)
  // Before 1988 a directory was a file whose name ends with a stroke.
  const kind = known === 'file' && name.endsWith('/') ? 'directory' : known
  const [mtime, mtimeNs] = timeOf(records.get('mtime')?.toString('latin1'), header.mtime)
  return {
    ...{ kind, name, mode: header.mode & 0o7777, mtime, mtimeNs, header: at, content },
    target: textOf(records.get('linkpath') ?? header.target, `The link ${name}`),
    xattrs: new Map(
      [...records].flatMap(([key, value]) =>
        key.startsWith(XATTR) ? [[key.slice(XATTR.length), value] as const] : [],
      ),
    ),
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textOf(bytes: Buffer, what: string): string {
  try {
    const text = decoder.decode(bytes)
    if (!text.includes('\0')) return text
  } catch {
    // Said below: there is nothing more to know.
  }
  throw badImage(`${what} in the tar archive is no UTF-8 text; CVMFS cannot hold it.`)
}

/** Seconds and nanoseconds; a time before 1970 is rounded down to a second. */
function timeOf(text: string | undefined, seconds: number): [number, number] {
  if (text === undefined) return [seconds, 0]
  const found = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(text)
  if (!found) throw badImage('A time in the tar archive is none.')
  const [, minus, whole, part = ''] = found
  const nanos = Number(part.slice(0, 9).padEnd(9, '0'))
  if (!minus) return [Number(whole), nanos]
  return [-Number(whole) - (nanos > 0 ? 1 : 0), 0]
}

/** GNU tar ends a long name with a NUL. */
function withoutEnd(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}
