import { badImage } from './errors.ts'
import type { TarEntry } from './tar.ts'

/** What a name stands for that is no directory; names that are hard links of each other share one. */
export interface Leaf {
  readonly entry: TarEntry
  readonly stamp: string
}

export interface Directory {
  /** Undefined where no layer describes it. */
  own: Leaf | undefined
  readonly names: Map<string, Directory | Leaf>
}

export const isDirectory = (node: Directory | Leaf): node is Directory => 'names' in node

/** A file system made of layers, in memory: nothing that an archive says reaches the machine's own. */
export interface Layered {
  readonly root: Directory
  /** Puts a layer upon those before; `name` is what it is known by, and changes when anything in it does. */
  add(layer: Iterable<TarEntry>, name: string): void
}

const WHITEOUT = '.wh.'
const OPAQUE = '.wh..wh..opq'
/** Names that once were the own ones of the file system aufs. */
const RESERVED = '.wh..wh.'
/** As many symbolic links as Linux follows on one way. */
const MOST_LINKS = 40
const MOST_PATH = 4096
const MOST_NAME = 255

export function createLayered(mostEntries: number): Layered {
  const root = emptyDirectory()
  let made = 0

  /**
   * The directory that a path leads to, through symbolic links inside the image. A missing one is made, or undefined.
   * `..` comes from links only, since names with it are refused; one that leads out of the image is refused, too.
   */
  function directoryAt(names: readonly string[], make: boolean, of: string): Directory | undefined {
    const way: Directory[] = [root]
    const open = [...names].reverse()
    let [links, steps] = [0, 0]
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (++steps > MOST_PATH) throw badImage(`${of} lies behind too many symbolic links.`)
      if (name === '' || name === '.') continue
      if (name === '..') {
        if (way.length === 1) throw badImage(`${of} lies behind a symbolic link that leads out of the image.`)
        way.pop()
        continue
      }
      const here = way.at(-1)!
      let next = here.names.get(name)
      if (!next) {
        if (!make) return undefined
        next = emptyDirectory()
        count()
        here.names.set(name, next)
      }
      if (isDirectory(next)) way.push(next)
      else if (next.entry.kind === 'symlink') {
        if (++links > MOST_LINKS) throw badImage(`${of} lies behind too many symbolic links.`)
        if (next.entry.target.startsWith('/')) way.length = 1
        open.push(...next.entry.target.split('/').reverse())
      } else if (make) throw badImage(`${of} lies below something that is no directory.`)
      else return undefined
    }
    return way.at(-1)
  }

  function count(): void {
    if (++made > mostEntries) throw badImage(`The image has more than ${mostEntries} entries.`)
  }

  function whiteOut(names: readonly string[], of: string): void {
    const last = names.at(-1)!
    if (last !== OPAQUE && last.startsWith(RESERVED)) return
    if (last === OPAQUE) {
      hideBelow(names.slice(0, -1), of)
      return
    }
    const parent = directoryAt(names.slice(0, -1), false, of)
    const gone = last.slice(WHITEOUT.length)
    if (gone === '' || gone === '.' || gone === '..') throw badImage(`${of} takes nothing away.`)
    parent?.names.delete(gone)
  }

  /** A link to a directory is another one's, and is replaced with the directory that the layer brings. */
  function hideBelow(names: readonly string[], of: string): void {
    const found =
      names.length === 0 ? root : directoryAt(names.slice(0, -1), false, of)?.names.get(names.at(-1)!)
    if (found && isDirectory(found)) found.names.clear()
  }

  function put(entry: TarEntry, names: readonly string[], stamp: string): void {
    const leaf: Leaf = { entry, stamp }
    if (entry.kind === 'symlink' && (entry.target === '' || entry.target.length > MOST_PATH))
      throw badImage(`${entry.name} is a symbolic link whose text is empty or too long.`)
    if (names.length === 0) {
      if (entry.kind !== 'directory') throw badImage('The root of the image is no directory.')
      root.own = leaf
      return
    }
    const parent = directoryAt(names.slice(0, -1), true, entry.name)!
    const name = names.at(-1)!
    const before = parent.names.get(name)
    if (!before) count()
    if (entry.kind === 'directory') {
      if (before && isDirectory(before)) before.own = leaf
      else parent.names.set(name, { ...emptyDirectory(), own: leaf })
    } else parent.names.set(name, entry.kind === 'link' ? linked(entry) : leaf)
  }

  /** What a hard link repeats; it may have come with a layer before. */
  function linked(entry: TarEntry): Leaf {
    const names = namesOf(entry.target)
    const found = directoryAt(names.slice(0, -1), false, entry.name)?.names.get(names.at(-1) ?? '')
    if (!found || isDirectory(found))
      throw badImage(`${entry.name} is a hard link to ${entry.target}, which is no file of the image.`)
    return found
  }

  return {
    root,
    add(layer, layerName) {
      const later: [TarEntry, string[]][] = []
      // A layer takes away from those before it only, wherever in it that is said.
      for (const entry of layer) {
        const names = namesOf(entry.name)
        if (names.at(-1)?.startsWith(WHITEOUT)) whiteOut(names, entry.name)
        else later.push([entry, names])
        if (later.length > mostEntries) throw badImage(`The image has more than ${mostEntries} entries.`)
      }
      for (const [entry, names] of later) put(entry, names, `${layerName}@${entry.header}`)
    },
  }
}

const emptyDirectory = (): Directory => ({ own: undefined, names: new Map() })

/** Names on the way to an entry; a name that is absolute or goes upwards belongs to no image. */
export function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  if (path.startsWith('/') && names.length > 0)
    throw badImage(`${path} is an absolute name; those of an image are relative.`)
  if (names.includes('..')) throw badImage(`${path} leads out of its directory.`)
  if (path.length > MOST_PATH || names.some((name) => Buffer.byteLength(name) > MOST_NAME))
    throw badImage(`${path.slice(0, 80)}… is a name that is too long.`)
  return names
}
