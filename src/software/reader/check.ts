import { isGridError } from '../../kernel/errors.ts'
import { type Catalog, COUNTERS, type Counters } from '../format/catalog.ts'
import { addCounters, NO_COUNTERS } from '../format/catalog-edit.ts'
import { MARKER, parentOf } from '../format/entry.ts'
import { type ContentHash, hashOf, objectPath, sameHash, textOf } from '../format/hash.ts'
import { type Incoming, verified } from '../format/incoming.ts'
import { readReflog } from '../format/reflog.ts'
import { type CatalogRow, FLAG } from '../format/rows.ts'
import { type Fetch, type FetchStream, type Repository, type Snapshot, streamBy } from './repository.ts'

export interface CheckReport {
  readonly problems: readonly string[]
  readonly catalogs: number
  readonly entries: number
  readonly objects: number
}

export interface CheckOptions {
  readonly fetch: Fetch
  /** How objects are read; by `fetch` when absent. */
  readonly stream?: FetchStream
  /** Reads every object and compares it with its name; otherwise only catalogues are read. */
  readonly data: boolean
  readonly parallel?: number
  readonly onObject?: () => void
  readonly signal?: AbortSignal | undefined
}

/**
 * Everything the format asks of a repository: catalogues that agree with themselves and with each other, and objects
 * that are there. An empty list of problems means that the checker of CVMFS finds none either.
 */
export async function checkRepository(
  repository: Repository,
  snapshot: Snapshot,
  options: CheckOptions,
): Promise<CheckReport> {
  const problems: string[] = []
  const objects = new Map<string, { path: string; hash: ContentHash }>()
  const wanted = (hash: ContentHash, kind: 'file' | 'chunk') => {
    const path = objectPath(hash, kind)
    if (!objects.has(path)) objects.set(path, { path, hash })
  }
  let catalogs = 0
  let entries = 0
  /** What each nested catalogue must look like, said by the one above. */
  const promised = new Map<string, { size: number; row: CatalogRow }>()
  const counted = new Map<string, { own: Counters; below: Counters }>()
  for await (const { catalog, size, path } of snapshot.catalogs()) {
    catalogs++
    entries += catalog.rows()
    const say = (text: string) => problems.push(`Catalogue of ${path || '/'}: ${text}`)
    if (catalog.mountpoint !== path) say(`it says that it is that of ${catalog.mountpoint || '/'}`)
    const promise = promised.get(path)
    if (promise) compareWithMountpoint(catalog, promise, size, say)
    for (const nested of catalog.nested()) {
      const row = catalog.row(nested.path)
      if (!row || !(row.flags & FLAG.mountpoint)) say(`${nested.path} is nested but no mount point`)
      else promised.set(nested.path, { size: nested.size, row })
    }
    checkRows(catalog, say, wanted)
    const [own, real] = [catalog.counters('self'), recount(catalog)]
    for (const counter of COUNTERS)
      if (own[counter] !== real[counter])
        say(`self_${counter} is ${own[counter]} instead of ${real[counter]}`)
    counted.set(path, { own, below: catalog.counters('subtree') })
  }
  for (const [path, { below }] of counted) {
    const direct = [...counted].filter(([other]) => holderAbove(other, counted) === path)
    const sum = direct.reduce((all, [, c]) => addCounters([all, 1], [c.own, 1], [c.below, 1]), NO_COUNTERS)
    for (const counter of COUNTERS)
      if (below[counter] !== sum[counter])
        problems.push(
          `Catalogue of ${path || '/'}: subtree_${counter} is ${below[counter]} instead of ${sum[counter]}`,
        )
  }
  await checkDocuments(repository, options.fetch, problems)
  if (options.data) await checkObjects([...objects.values()], options, problems)
  return { problems, catalogs, entries, objects: objects.size }
}

function holderAbove(path: string, known: ReadonlyMap<string, unknown>): string | undefined {
  if (path === '') return undefined
  for (let above = parentOf(path); ; above = parentOf(above)) if (known.has(above)) return above
}

function compareWithMountpoint(
  catalog: Catalog,
  promise: { size: number; row: CatalogRow },
  size: number,
  say: (text: string) => void,
): void {
  if (promise.size !== size) say(`it has ${size} bytes instead of ${promise.size}`)
  const root = catalog.row(catalog.mountpoint)
  if (!root) {
    say('the row of its root is missing')
    return
  }
  const facts = (row: CatalogRow) => JSON.stringify([row.entry, row.linkCount])
  if (facts(root) !== facts(promise.row)) say('its root differs from the mount point above')
  if (!(root.flags & FLAG.nestedRoot)) say('its root is not marked as such')
  if (catalog.row(`${catalog.mountpoint}/${MARKER}`)?.entry.kind !== 'file') say(`it lacks ${MARKER}`)
}

function checkRows(
  catalog: Catalog,
  say: (text: string) => void,
  wanted: (hash: ContentHash, kind: 'file' | 'chunk') => void,
): void {
  const directories = new Map<string, number>()
  const groups = new Map<string, { said: number; found: number }>()
  const rows: CatalogRow[] = []
  let reached = 0
  for (const row of catalog.walk()) {
    reached++
    const { entry } = row
    rows.push(row)
    if (entry.kind === 'directory') {
      directories.set(entry.path, directories.get(entry.path) ?? 2)
      const above = parentOf(entry.path)
      if (entry.path !== catalog.mountpoint) directories.set(above, (directories.get(above) ?? 2) + 1)
      if (row.flags & FLAG.mountpoint && !catalog.nested().some(({ path }) => path === entry.path))
        say(`${entry.path} is a mount point of nothing`)
    }
    if (entry.kind === 'symlink' && Buffer.byteLength(entry.target ?? '') !== entry.size)
      say(`${entry.path} has another length than its text`)
    if (row.linkGroup > 0) {
      const key = `${parentOf(entry.path)} ${row.linkGroup}`
      const group = groups.get(key) ?? { said: row.linkCount, found: 0 }
      groups.set(key, { said: row.linkCount, found: group.found + 1 })
    }
    if (entry.kind === 'file' && !row.external) checkContent(row, say, wanted)
  }
  if (reached !== catalog.rows()) say(`${catalog.rows() - reached} entries belong to no directory`)
  for (const { entry, linkCount, flags } of rows)
    if (entry.kind === 'directory' && !(flags & FLAG.mountpoint) && directories.get(entry.path) !== linkCount)
      say(`${entry.path || '/'} has ${linkCount} links instead of ${directories.get(entry.path)}`)
  for (const [key, { said, found }] of groups)
    if (said !== found) say(`${found} of ${said} hard links are in ${key.split(' ')[0] || '/'}`)
}

function checkContent(
  { entry, chunked }: CatalogRow,
  say: (text: string) => void,
  wanted: (hash: ContentHash, kind: 'file' | 'chunk') => void,
): void {
  if (!chunked) {
    if (entry.content) wanted(entry.content, 'file')
    else say(`${entry.path} has no content`)
    return
  }
  let end = 0
  for (const chunk of entry.chunks ?? []) {
    if (chunk.offset !== end) say(`${entry.path} has a gap at ${end}`)
    end = chunk.offset + chunk.size
    wanted(chunk.hash, 'chunk')
  }
  if (end !== entry.size) say(`${entry.path} has chunks of ${end} bytes together instead of ${entry.size}`)
}

function recount(catalog: Catalog): Counters {
  const found: Record<string, number> = { ...NO_COUNTERS, nested: catalog.nested().length }
  const add = (counter: string, by = 1) => {
    found[counter] = (found[counter] ?? 0) + by
  }
  for (const { entry, chunked, external } of catalog.walk()) {
    if (entry.xattrs) add('xattr')
    if (entry.kind === 'directory') add('dir')
    else if (entry.kind === 'symlink') add('symlink')
    else if (entry.kind !== 'file') add('special')
    else {
      add('regular')
      add('file_size', entry.size)
      if (chunked) {
        add('chunked')
        add('chunked_size', entry.size)
        add('chunks', entry.chunks?.length ?? 0)
      }
      if (external) {
        add('external')
        add('external_file_size', entry.size)
      }
    }
  }
  return found as unknown as Counters
}

async function checkDocuments(repository: Repository, fetch: Fetch, problems: string[]): Promise<void> {
  const { manifest } = repository
  const tags = await repository.tags()
  const trunk = tags.find((tag) => tag.name === 'trunk')
  if (tags.length > 0 && trunk && !sameHash(trunk.root, manifest.root))
    problems.push('The tag trunk is not the newest revision.')
  if (!manifest.reflog) return
  const reflog = await fetch('.cvmfsreflog')
  if (!reflog || !sameHash(hashOf(reflog, manifest.reflog.algorithm), manifest.reflog)) {
    problems.push('The reflog is missing or is not the one that the manifest names.')
    return
  }
  const listed = new Set(readReflog(reflog).map(({ hash }) => textOf(hash)))
  const must = [manifest.root, manifest.certificate, manifest.history, manifest.metainfo]
  for (const hash of must)
    if (hash && !listed.has(textOf(hash))) problems.push(`The reflog does not list ${textOf(hash)}.`)
}

async function checkObjects(
  objects: readonly { path: string; hash: ContentHash }[],
  { fetch, stream = streamBy(fetch), parallel = 16, signal, onObject }: CheckOptions,
  problems: string[],
): Promise<void> {
  let next = 0
  const one = async () => {
    for (let object = objects[next++]; object; object = objects[next++]) {
      signal?.throwIfAborted()
      const { path, hash } = object
      const read = async (incoming: Incoming) => {
        for await (const _piece of verified(incoming, hash)) signal?.throwIfAborted()
        return true
      }
      try {
        if (!(await stream(path, read, { signal }))) problems.push(`Object ${path} is missing.`)
      } catch (error) {
        if (!isGridError(error, 'software_damaged')) throw error
        problems.push(`Object ${path} is damaged.`)
      }
      onObject?.()
    }
  }
  await Promise.all(Array.from({ length: parallel }, one))
}
