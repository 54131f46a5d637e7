import { type Counters, keyOf, openCatalog } from './catalog.ts'
import { editCatalog } from './catalog-edit.ts'
import { chooseCuts } from './cuts.ts'
import { AUTOMATIC_MARKER, type Entry, isWithin, MARKER, nameOf, parentOf } from './entry.ts'
import { notACvmfs } from './errors.ts'
import { type Algorithm, type ContentHash, pathHash } from './hash.ts'
import { storedForm } from './objects.ts'
import {
  allOf,
  type CatalogObject,
  cutOut,
  discard,
  type Finished,
  finishNode,
  isNode,
  type Node,
  nextGroup,
  nodeOf,
  takeBack,
} from './tree-node.ts'

export type { CatalogObject } from './tree-node.ts'

export interface TreeLimits {
  /** Entries above which a catalogue is divided. */
  readonly most: number
  /** Entries below which a part is not worth a catalogue of its own. */
  readonly least: number
}
/** CVMFS advises catalogues of 1,000 to 200,000 entries; a client loads a whole one to look at a single file. */
export const TREE_LIMITS: TreeLimits = { most: 50_000, least: 1_000 }

export interface TreeOptions {
  readonly algorithm: Algorithm
  /** The bytes of a catalogue that exists, unpacked and compared with its hash. */
  load(hash: ContentHash): Promise<Buffer>
  readonly limits?: TreeLimits
  readonly now: Date
}

/** All catalogues of a repository, loaded where they are needed, changed together. */
export interface Tree {
  /** Loads the catalogue of a path, as far as there is one, before something is changed there. */
  prepare(path: string): Promise<void>
  /** Adds an entry or replaces what is there; missing parents are made. */
  put(entry: Entry): Promise<void>
  /** Removes an entry with all below it. Whether there was one. */
  remove(path: string): Promise<boolean>
  /** The root is written anew even when nothing changed: a revision is one of its properties. */
  touch(): void
  /** Lets a directory with enough in it be a catalogue of its own. */
  divideAt(path: string): Promise<void>
  /**
   * Gives what changed to be written, leaves first and the root last, and says of the root what it counts. Nothing can be
   * done with the tree afterwards.
   */
  finish(
    revision: number,
    write: (object: CatalogObject) => Promise<void>,
  ): Promise<Pick<Finished, 'hash' | 'size' | 'all'>>
  /** Throws the work away. */
  abandon(): void
}

/** Opens the tree of a root catalogue, or begins an empty one. */
export async function openTree(root: ContentHash | undefined, options: TreeOptions): Promise<Tree> {
  const { algorithm, limits = TREE_LIMITS } = options
  const plain = { linkGroup: 0, algorithm }
  /** Directories known to exist, with the catalogue that holds what is in them. */
  let holders = new Map<string, Node>()
  /** Directories made here: what is in them is what was put since, and its directories are among the holders. */
  const fresh = new Set<string>()
  const marked = new Set<string>()
  const unmarked = new Set<string>()
  const groups = new Map<string, number>()
  const sizes = new Map<Node, number>()
  /** Above so many entries it is worth looking again where a catalogue can be divided. */
  const enough = new Map<Node, number>()

  async function load(hash: ContentHash, mountpoint: string): Promise<Node> {
    const bytes = await options.load(hash)
    const editor = editCatalog(bytes)
    if (editor.mountpoint === mountpoint) return nodeOf(editor, { hash, size: bytes.length })
    editor.close()
    throw notACvmfs(`The catalogue of ${mountpoint || '/'} says that it is that of ${editor.mountpoint}.`)
  }
  const top = root ? await load(root, '') : nodeOf(editCatalog({ mountpoint: '' }))
  if (!root) {
    top.editor.put(directory('', options.now), { ...plain, linkCount: 2 })
    fresh.add('')
  }
  holders.set('', top)

  async function inside(node: Node, path: string): Promise<Node | undefined> {
    const nested = node.nested.get(path)
    if (!nested || isNode(nested)) return nested
    const loaded = await load(nested.hash, path)
    node.nested.set(path, loaded)
    return loaded
  }

  /** The catalogue that holds the content of a directory; undefined when there is no such directory. */
  async function holderOf(path: string): Promise<Node | undefined> {
    const known = holders.get(path)
    if (known) return known
    const above = await holderOf(parentOf(path))
    if (above?.editor.row(path)?.entry.kind !== 'directory') return undefined
    const holder = (await inside(above, path)) ?? above
    holders.set(path, holder)
    return holder
  }

  async function ensureDirectory(path: string): Promise<Node> {
    const holder = holders.get(path) ?? (await holderOf(path))
    if (holder) return holder
    await put(directory(path, options.now))
    return (await holderOf(path))!
  }

  async function put(entry: Entry): Promise<void> {
    const { path } = entry
    const isDirectory = entry.kind === 'directory'
    if (path === '') {
      if (!isDirectory) throw notACvmfs('The root of a repository is a directory.')
      top.editor.put(entry, { ...plain, linkCount: 2 })
      top.touched.add('')
      top.dirty = true
      return
    }
    const parent = parentOf(path)
    const holder = await ensureDirectory(parent)
    holder.dirty = true
    const before = fresh.has(parent) && !holders.has(path) ? undefined : holder.editor.row(path)
    if (before && (before.entry.kind === 'directory') !== isDirectory) await remove(path)
    else if (before && isDirectory) return replaceDirectory(holder, entry)
    if (isDirectory) {
      holder.touched.add(parent).add(path)
      fresh.add(path)
      holders.set(path, holder)
    }
    const linkCount = isDirectory ? 2 : (entry.links?.count ?? 1)
    const linkGroup = entry.links ? groupOf(holder, parent, entry.links.first) : 0
    holder.editor.put(entry, { linkCount, linkGroup, algorithm })
    if (nameOf(path) === MARKER && parent !== '') {
      marked.add(parent)
      unmarked.delete(parent)
    }
    const size = (sizes.get(holder) ?? holder.editor.rows()) + 1
    sizes.set(holder, size)
    // While a great tree comes in, too: so that no row is moved often.
    if (size > (enough.get(holder) ?? 2 * limits.most)) balance(holder)
  }

  async function replaceDirectory(holder: Node, entry: Entry): Promise<void> {
    const within = await inside(holder, entry.path)
    holder.editor.put(entry, { ...plain, linkCount: 2, mountpoint: within !== undefined })
    within?.editor.put(entry, { ...plain, linkCount: 2, nestedRoot: true })
    if (within) within.dirty = true
    ;(within ?? holder).touched.add(entry.path)
  }

  function groupOf(node: Node, parent: string, first: string): number {
    const key = `${parent}/${first}`
    const known = groups.get(key)
    if (known !== undefined) return known
    const group = nextGroup(node)
    node.nextGroup = group + 1
    groups.set(key, group)
    return group
  }

  async function remove(path: string): Promise<boolean> {
    const parent = parentOf(path)
    const holder = path === '' ? undefined : await holderOf(parent)
    const row = holder?.editor.row(path)
    if (!holder || !row) return false
    holder.dirty = true
    if (row.entry.kind === 'directory') {
      removeBelow(holder, path)
      holder.touched.add(parent)
      forget(holder, path)
    }
    holder.editor.take(path)
    if (nameOf(path) === MARKER) {
      unmarked.add(parent)
      marked.delete(parent)
    }
    return true
  }

  function removeBelow(node: Node, path: string): void {
    const nested = node.nested.get(path)
    if (nested) {
      if (isNode(nested)) discard(nested)
      node.nested.delete(path)
      node.editor.dropNested(path)
      return
    }
    for (const { entry } of node.editor.children(path)) {
      if (entry.kind === 'directory') removeBelow(node, entry.path)
      node.editor.take(entry.path)
    }
  }

  function forget(holder: Node, above: string): void {
    for (const known of [holders, fresh, marked, unmarked, holder.touched])
      for (const path of [...known.keys()]) if (isWithin(path, above)) known.delete(path)
  }

  const markersOf = (path: string, automatic: boolean): Entry[] =>
    (automatic ? [MARKER, AUTOMATIC_MARKER] : []).map((name) => ({
      ...{ path: `${path}/${name}`, kind: 'file', mode: 0o444, mtimeNs: 0, size: 0, compression: 'zlib' },
      mtime: Math.floor(options.now.getTime() / 1000),
      content: storedForm(Buffer.alloc(0), algorithm).hash,
    }))

  function cut(node: Node, path: string, automatic: boolean): Node | undefined {
    const made = cutOut(node, path, markersOf(path, automatic), algorithm)
    if (made) {
      holders = new Map([['', top]])
      fresh.clear()
      sizes.clear()
    }
    return made
  }

  /** Divides a catalogue that has too many entries. */
  function balance(node: Node): void {
    const root = { key: keyOf(...pathHash(node.mountpoint)), path: node.mountpoint }
    const open = [node]
    const cuts = chooseCuts(node.editor.weights(), root, limits)
    // From above: what is deeper is then cut out of what was cut out before it.
    for (const path of cuts.sort((a, b) => a.length - b.length)) {
      const from = open.findLast((part) => isWithin(path, part.mountpoint)) ?? node
      const made = cut(from, path, true)
      if (!made) continue
      open.push(made)
      // Little more comes to it as a rule, and there may be very many.
      made.editor.rest()
    }
    const left = node.editor.rows()
    sizes.set(node, left)
    // Where thousands of small directories are one beside the other there is no place to cut, at the next entry neither.
    enough.set(node, 2 * Math.max(left, limits.most))
  }

  async function countersOf(hash: ContentHash): Promise<Counters> {
    const catalog = openCatalog(await options.load(hash))
    const all = allOf(catalog)
    catalog.close()
    return all
  }

  return {
    prepare: async (path) => void (await holderOf(path)),
    put,
    remove,
    touch: () => {
      top.dirty = true
    },
    async divideAt(path) {
      const above = path === '' ? undefined : await holderOf(parentOf(path))
      if (!above || above.nested.has(path)) return
      const root = { key: keyOf(...pathHash(above.mountpoint)), path: above.mountpoint }
      // Cut exactly when it is heavy enough by itself.
      const heavy = chooseCuts(above.editor.weights(), root, { most: 0, least: limits.least })
      if (heavy.some((other) => isWithin(other, path))) cut(above, path, true)
    },
    async finish(revision, write) {
      for (const path of [...marked].sort()) {
        const above = await holderOf(parentOf(path))
        if (above) cut(above, path, false)
      }
      for (const path of unmarked) {
        const above = path === '' ? undefined : await holderOf(parentOf(path))
        const within = above && (await inside(above, path))
        if (!above || !within) continue
        takeBack(above, within)
        holders = new Map([['', top]])
      }
      for (const node of loaded(top)) if (node.dirty && node.editor.rows() > limits.most) balance(node)
      return finishNode(top, { revision, now: options.now, algorithm, countersOf, write })
    },
    abandon: () => discard(top),
  }
}

function loaded(node: Node): Node[] {
  return [node, ...[...node.nested.values()].filter(isNode).flatMap(loaded)]
}

function directory(path: string, now: Date): Entry {
  return {
    path,
    kind: 'directory',
    mode: 0o755,
    mtime: Math.floor(now.getTime() / 1000),
    mtimeNs: 0,
    size: 0,
  }
}
