import { createHash } from 'node:crypto'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { adler32, adler32Hex } from '../../kernel/adler32.ts'
import { defineError } from '../../kernel/errors.ts'

const noSuchFile = defineError('missing', 'no_such_file')
const twice = defineError('invalid', 'same_name_twice')

const PIECE_BYTES = 1 << 20

/** A local file and the name it gets in the catalogue. */
export interface LocalFile {
  readonly path: string
  readonly name: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

export interface Digests {
  readonly bytes: number
  readonly adler32: string
  readonly md5: string
}

/** Files, directories (with all below) and patterns with * and ?, in a stable order, each name once. */
export async function gatherFiles(sources: readonly string[]): Promise<LocalFile[]> {
  const found: LocalFile[] = []
  for (const source of sources) {
    const paths = /[*?]/.test(basename(source)) ? await matching(source) : [source]
    for (const path of paths) found.push(...(await below(path)))
  }
  const byName = new Map<string, string>()
  for (const { name, path } of found) {
    const other = byName.get(name)
    if (other !== undefined && other !== path)
      throw twice(`${other} and ${path} would both be called ${name}; put them under different scopes.`)
    byName.set(name, path)
  }
  return [...new Map(found.map((file) => [file.name, file])).values()]
}

async function matching(pattern: string): Promise<string[]> {
  const escaped = basename(pattern).replace(/[.+^${}()|[\]\\]/g, '\\$&')
  const shape = new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`)
  const names = await readdir(dirname(pattern)).catch(() => [])
  const paths = names
    .filter((name) => shape.test(name))
    .sort()
    .map((name) => join(dirname(pattern), name))
  if (paths.length === 0) throw noSuchFile(`Nothing matches ${pattern}.`)
  return paths
}

async function below(path: string): Promise<LocalFile[]> {
  const facts = await stat(path).catch(() => undefined)
  if (!facts) throw noSuchFile(`There is no file ${path}.`)
  if (!facts.isDirectory()) return [{ path, name: basename(path) }]
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => ({ path: file, name: relative(path, file).split(sep).join('/') }))
}

/** Size and both checksums of a file, read once. */
export async function digestFile(path: string, signal?: AbortSignal): Promise<Digests> {
  let sum = 1
  let bytes = 0
  const md5 = createHash('md5')
  // One buffer for all of it: a stream's would be new for every piece, and the collection of them costs as much as md5.
  const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES)
  const file = await open(path)
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, bytes)
      if (bytesRead === 0) break
      const piece = buffer.subarray(0, bytesRead)
      sum = adler32(piece, sum)
      md5.update(piece)
      bytes += bytesRead
    }
  } finally {
    await file.close()
  }
  return { bytes, adler32: adler32Hex(sum), md5: md5.digest('hex') }
}
