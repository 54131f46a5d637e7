import type { Counters, NestedCatalog } from './catalog.ts'
import { addCounters, type CatalogEditor, editCatalog, NO_COUNTERS } from './catalog-edit.ts'
import { AUTOMATIC_MARKER, type Entry, isWithin, MARKER } from './entry.ts'
import type { Algorithm, ContentHash } from './hash.ts'
import { HASHES_LEVEL, type StoredObject, storedForm } from './objects.ts'
import { type CatalogRow, FLAG } from './rows.ts'

/** One catalogue at work in a tree. */
export interface Node {
  readonly mountpoint: string
  readonly editor: CatalogEditor
  /** As it was stored; undefined for a new one. */
  readonly was: Stored | undefined
  /** Those nested in it when it was loaded. */
  readonly original: ReadonlyMap<string, NestedCatalog>
  /** Those nested in it now: loaded, or as they are stored. */
  readonly nested: Map<string, Node | NestedCatalog>
  /** Directories whose link counts may have changed. */
  readonly touched: Set<string>
  dirty: boolean
  /** Of hard links; undefined until it is looked up. */
  nextGroup?: number
}

interface Stored {
  readonly hash: ContentHash
  /** Bytes before compression. */
  readonly size: number
  /** What its nested catalogues count together. */
  readonly below: Counters
  /** The same with its own. */
  readonly all: Counters
}

export interface CatalogObject extends StoredObject {
  /** Bytes before compression. */
  readonly size: number
}

export const isNode = (nested: Node | NestedCatalog): nested is Node => 'editor' in nested

export const allOf = (catalog: Pick<CatalogEditor, 'counters'>): Counters =>
  addCounters([catalog.counters('self'), 1], [catalog.counters('subtree'), 1])

export function nodeOf(editor: CatalogEditor, stored?: { hash: ContentHash; size: number }): Node {
  const original = new Map(editor.nested().map((nested) => [nested.path, nested]))
  return {
    ...{ mountpoint: editor.mountpoint, editor, original, nested: new Map(original), touched: new Set() },
    was: stored && { ...stored, all: allOf(editor), below: editor.counters('subtree') },
    dirty: !stored,
  }
}

/** Makes a directory of a catalogue a nested catalogue, with the files that mark it. */
export function cutOut(
  node: Node,
  path: string,
  markers: readonly Entry[],
  algorithm: Algorithm,
): Node | undefined {
  const row = node.editor.row(path)
  if (row?.entry.kind !== 'directory' || path === node.mountpoint || node.nested.has(path)) return undefined
  const editor = editCatalog({ mountpoint: path })
  editor.put(row.entry, { linkCount: row.linkCount, linkGroup: 0, nestedRoot: true, algorithm })
  node.editor.moveBelow(path, editor, 0)
  for (const marker of markers)
    if (!editor.row(marker.path)) editor.put(marker, { linkCount: 1, linkGroup: 0, algorithm })
  node.editor.setDirectoryFlags(path, FLAG.directory | FLAG.mountpoint)
  const inside = nodeOf(editor)
  node.nested.set(path, inside)
  handOver(node, inside, (at) => at !== path && isWithin(at, path))
  node.dirty = true
  return inside
}

/** The reverse: a nested catalogue becomes part of the one above again. */
export function takeBack(node: Node, inside: Node): void {
  const path = inside.mountpoint
  const row = inside.editor.row(path)!
  node.editor.put(row.entry, { linkCount: row.linkCount, linkGroup: 0, algorithm: row.algorithm })
  inside.editor.take(`${path}/${AUTOMATIC_MARKER}`)
  inside.editor.take(`${path}/${MARKER}`)
  inside.editor.moveBelow(path, node.editor, nextGroup(node))
  delete node.nextGroup
  node.nested.delete(path)
  node.editor.dropNested(path)
  handOver(inside, node, () => true)
  node.dirty = true
  inside.editor.close()
}

/** A number that no hard links of the catalogue have; whoever takes it counts it up. */
export function nextGroup(node: Node): number {
  node.nextGroup ??= node.editor.highestLinkGroup() + 1
  return node.nextGroup
}

function handOver(from: Node, to: Node, which: (path: string) => boolean): void {
  for (const [path, nested] of [...from.nested]) {
    if (!which(path)) continue
    from.nested.delete(path)
    from.editor.dropNested(path)
    to.nested.set(path, nested)
    // Loaded ones are named when they are finished.
    if (!isNode(nested)) to.editor.setNested(nested)
  }
  for (const path of [...from.touched]) {
    if (!which(path) && path !== to.mountpoint) continue
    from.touched.delete(path)
    to.touched.add(path)
  }
}

/** Closes a catalogue and those nested in it without writing them. */
export function discard(node: Node): void {
  for (const nested of node.nested.values()) if (isNode(nested)) discard(nested)
  node.editor.close()
}

export interface FinishOptions {
  readonly revision: number
  readonly now: Date
  readonly algorithm: Algorithm
  /** What a stored catalogue counts, with all below it. */
  countersOf(hash: ContentHash): Promise<Counters>
  /** Takes what is written, nested catalogues before those they are in. */
  write(object: CatalogObject): Promise<void>
}

export interface Finished {
  readonly hash: ContentHash
  readonly size: number
  readonly all: Counters
  /** Its own directory, as the one above shows it. */
  readonly top: CatalogRow
  readonly changed: boolean
}

/** Writes a catalogue and those nested in it, as far as they changed, leaves first. */
export async function finishNode(node: Node, options: FinishOptions): Promise<Finished> {
  const { editor, mountpoint, original, was } = node
  const { algorithm, revision, now } = options
  let below = was?.below ?? NO_COUNTERS
  const count = (all: Counters, sign: 1 | -1) => {
    below = addCounters([below, 1], [all, sign])
  }
  for (const [path, nested] of node.nested) {
    const before = original.get(path)
    if (!isNode(nested)) {
      if (!before) count(await options.countersOf(nested.hash), 1)
      continue
    }
    const done = await finishNode(nested, options)
    if (before && !done.changed) continue
    count(done.all, 1)
    const known = before && nested.was?.hash.hex === before.hash.hex ? nested.was.all : undefined
    if (before) count(known ?? (await options.countersOf(before.hash)), -1)
    node.dirty = true
    editor.setNested({ path, hash: done.hash, size: done.size })
    editor.put(done.top.entry, { linkCount: done.top.linkCount, linkGroup: 0, mountpoint: true, algorithm })
  }
  for (const [path, before] of original)
    if (!node.nested.has(path)) count(await options.countersOf(before.hash), -1)

  if (!node.dirty && was) {
    const top = editor.row(mountpoint)!
    editor.close()
    return { ...was, top, changed: false }
  }
  for (const path of node.touched) editor.setLinks(path, editor.countLinks(path))
  const top = editor.row(mountpoint)!
  editor.writeFacts({ revision, now, previous: was?.hash, below })
  const all = allOf(editor)
  const bytes = editor.finish()
  const object = { ...storedForm(bytes, algorithm, { level: HASHES_LEVEL }), size: bytes.length }
  await options.write(object)
  return { hash: object.hash, size: object.size, all, top, changed: true }
}
