import { type Catalog, COUNTERS, type Counters, keyOf } from '../format/catalog.ts'
import { addCounters, NO_COUNTERS } from '../format/catalog-edit.ts'
import { MARKER, parentOf } from '../format/entry.ts'
import { hashOf, objectPath, pathHash, sameHash, textOf } from '../format/hash.ts'
import { readReflog } from '../format/reflog.ts'
import { type CatalogRow, FLAG } from '../format/rows.ts'
import { type CheckObjects, damagedObjects, type TreeObject } from './check-objects.ts'
import type { Fetch, Repository, Snapshot } from './repository.ts'

export interface CheckReport {
  readonly problems: readonly string[]
  readonly catalogs: number
  readonly entries: number
  readonly objects: number
}

export interface CheckOptions extends CheckObjects {
  /** Reads every object and compares it with its name; otherwise only catalogues are read. */
  readonly data: boolean
  /** What is to be read, once the catalogues are. */
  readonly onPlan?: (plan: { objects: number; bytes: number }) => void
}

/** Told of what entries are made of. */
type Wanted = (object: Omit<TreeObject, 'path'>, kind: 'file' | 'chunk') => void

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
  const objects = new Map<string, TreeObject>()
  const wanted: Wanted = (object, kind) => {
    const path = objectPath(object.hash, kind)
    if (!objects.has(path)) objects.set(path, { path, ...object })
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
  checkSums(counted, problems)
  await checkDocuments(repository, options.fetch, problems)
  if (options.data) {
    const all = [...objects.values()]
    options.onPlan?.({ objects: all.length, bytes: all.reduce((sum, { size }) => sum + size, 0) })
    problems.push(...(await damagedObjects(all, options)))
  }
  return { problems, catalogs, entries, objects: objects.size }
}

/** What a catalogue counts below it is what those count that hang from it. */
function checkSums(
  counted: ReadonlyMap<string, { own: Counters; below: Counters }>,
  problems: string[],
): void {
  const sums = new Map<string, Counters>()
  for (const [path, { own, below }] of counted) {
    const above = holderAbove(path, counted)
    if (above !== undefined)
      sums.set(above, addCounters([sums.get(above) ?? NO_COUNTERS, 1], [own, 1], [below, 1]))
  }
  for (const [path, { below }] of counted) {
    const sum = sums.get(path) ?? NO_COUNTERS
    for (const counter of COUNTERS)
      if (below[counter] !== sum[counter])
        problems.push(
          `Catalogue of ${path || '/'}: subtree_${counter} is ${below[counter]} instead of ${sum[counter]}`,
        )
  }
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

function checkRows(catalog: Catalog, say: (text: string) => void, wanted: Wanted): void {
  const keys = catalog.keys()
  const directories = new Map<string, number>()
  const groups = new Map<string, { said: number; found: number }>()
  const rows: CatalogRow[] = []
  let reached = 0
  for (const row of catalog.walk()) {
    reached++
    const { entry } = row
    rows.push(row)
    if (!keys.has(keyOf(...pathHash(entry.path)))) say(`${entry.path || '/'} is not found by its path`)
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

function checkContent({ entry, chunked }: CatalogRow, say: (text: string) => void, wanted: Wanted): void {
  if (!chunked) {
    if (entry.content) wanted({ hash: entry.content, size: entry.size }, 'file')
    else say(`${entry.path} has no content`)
    return
  }
  let end = 0
  for (const chunk of entry.chunks ?? []) {
    if (chunk.offset !== end) say(`${entry.path} has a gap at ${end}`)
    end = chunk.offset + chunk.size
    wanted(chunk, 'chunk')
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
