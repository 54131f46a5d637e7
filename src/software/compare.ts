import type { Catalog } from './format/catalog.ts'
import { openCatalog } from './format/catalog.ts'
import { AUTOMATIC_MARKER, type Entry, MARKER, nameOf, parentOf } from './format/entry.ts'
import { type ContentHash, sameHash } from './format/hash.ts'
import { entryLine } from './local/changes.ts'

export interface ChangedPath {
  readonly path: string
  readonly what: 'added' | 'changed' | 'removed'
  readonly kind: Entry['kind']
  /** Bytes; null on the side where it is not. */
  readonly before: number | null
  readonly after: number | null
}
export interface TreeDifference {
  readonly added: number
  readonly changed: number
  readonly removed: number
  /** In the order of their names, as far as they were wanted. */
  readonly paths: readonly ChangedPath[]
  /** False: there was too much to look at, and there are more differences than these. */
  readonly whole: boolean
}

type Load = (hash: ContentHash) => Promise<Buffer>
interface Level {
  readonly entries: Map<string, Entry>
  readonly nested: Map<string, ContentHash>
}

/**
 * How two trees differ. Catalogues that both have are not read, so that it costs what differs; after `mostEntries` it
 * stops.
 */
export async function compareTrees(
  load: Load,
  [before, after]: readonly [ContentHash, ContentHash],
  { most, mostEntries }: { most: number; mostEntries: number },
): Promise<TreeDifference> {
  const paths: ChangedPath[] = []
  const pairs = [{ before, after }]
  let [added, changed, removed, looked] = [0, 0, 0, 0]
  for (let pair = pairs.shift(); pair; pair = pairs.shift()) {
    if (sameHash(pair.before, pair.after)) continue
    if (looked >= mostEntries) return { added, changed, removed, paths: first(paths, most), whole: false }
    const [was, is] = [await levelOf(load, pair.before), await levelOf(load, pair.after)]
    // What is a catalogue of its own in one tree only is compared entry by entry.
    for (const [path, hash] of was.nested) if (!is.nested.has(path)) await unfold(load, was, hash)
    for (const [path, hash] of is.nested) if (!was.nested.has(path)) await unfold(load, is, hash)
    for (const [path, hash] of was.nested) {
      const other = is.nested.get(path)
      if (other) pairs.push({ before: hash, after: other })
    }
    looked += was.entries.size + is.entries.size
    for (const path of new Set([...was.entries.keys(), ...is.entries.keys()])) {
      const [old, now] = [was.entries.get(path), is.entries.get(path)]
      if (isGridsOwn(path, was, is) || (old && now && entryLine(old) === entryLine(now))) continue
      const what = !old ? 'added' : !now ? 'removed' : 'changed'
      if (what === 'added') added++
      else if (what === 'removed') removed++
      else changed++
      paths.push({
        ...{ path, what, kind: (now ?? old)!.kind },
        ...{ before: old?.size ?? null, after: now?.size ?? null },
      })
    }
  }
  return { added, changed, removed, paths: first(paths, most), whole: true }
}

const first = (paths: readonly ChangedPath[], most: number): ChangedPath[] =>
  [...paths].sort((a, b) => (a.path < b.path ? -1 : 1)).slice(0, most)

/** Markers of catalogues that the grid divided by itself say nothing about the tree. */
function isGridsOwn(path: string, ...levels: readonly Level[]): boolean {
  const name = nameOf(path)
  if (name === AUTOMATIC_MARKER) return true
  return name === MARKER && levels.some(({ entries }) => entries.has(`${parentOf(path)}/${AUTOMATIC_MARKER}`))
}

async function levelOf(load: Load, hash: ContentHash): Promise<Level> {
  const catalog: Catalog = openCatalog(await load(hash))
  try {
    const entries = new Map<string, Entry>()
    for (const { entry } of catalog.walk()) entries.set(entry.path, entry)
    return { entries, nested: new Map(catalog.nested().map((one) => [one.path, one.hash])) }
  } finally {
    catalog.close()
  }
}

/** Adds what is in a nested catalogue, and below it, to the level above. */
async function unfold(load: Load, into: Level, hash: ContentHash): Promise<void> {
  const level = await levelOf(load, hash)
  for (const [path, entry] of level.entries) into.entries.set(path, entry)
  for (const below of level.nested.values()) await unfold(load, into, below)
}
