import type { Entry } from '../format/entry.ts'
import { keptAttributes } from '../local/attributes.ts'
import { type Found, foundWith, inOrder, type LocalTree, markLinks } from '../local/walk.ts'
import { badImage } from './errors.ts'
import { type Directory, isDirectory, type Layered, type Leaf } from './layered.ts'

const MOST_PATH = 4096
/** A directory that no layer describes. */
const UNSAID = { mode: 0o755, mtime: 0, mtimeNs: 0 } as const

/** The tree of an image as the entries of a repository below `to`: parents first, names in order. */
export function treeOf({ root }: Layered, to: string): LocalTree {
  const [leftOut, unreadable]: [string[], string[]] = [[], []]
  const directories = new Map<Found, Directory>()
  const directory = (path: string, node: Directory): Found => {
    const found = directoryFound(path, node)
    directories.set(found, node)
    return found
  }
  function contentOf(one: Found): Found[] {
    const content: Found[] = []
    const linked = new Map<Leaf, Found[]>()
    const { names } = directories.get(one)!
    directories.delete(one)
    for (const [name, node] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const inner = `${one.path}/${name}`
      if (inner.length > MOST_PATH) throw badImage(`${inner.slice(0, 80)}… is a path that is too long.`)
      const found = isDirectory(node) ? directory(inner, node) : leafFound(inner, node)
      if (!found) {
        leftOut.push(inner)
        continue
      }
      content.push(found)
      if (isDirectory(node) || found.kind !== 'file') continue
      if (!(node.entry.mode & 0o004)) unreadable.push(inner)
      const group = linked.get(node)
      if (group) group.push(found)
      else linked.set(node, [found])
    }
    markLinks(linked.values())
    return content
  }
  const found = [...inOrder(directory(to, root), contentOf)]
  return { found, leftOut, unreadable }
}

function directoryFound(path: string, { own }: Directory): Found {
  const { mode, mtime, mtimeNs } = own?.entry ?? UNSAID
  const xattrs = own && keptAttributes(own.entry.xattrs)
  const entry: Entry = {
    ...{ path, mode, mtime, mtimeNs, kind: 'directory', size: 0 },
    ...(xattrs && { xattrs }),
  }
  return foundWith(
    { path, kind: 'directory', file: '', stamp: own?.stamp ?? 'unsaid', changedAt: 0 },
    () => entry,
  )
}

/** Undefined for devices: clients cannot make them. */
function leafFound(path: string, { entry: said, stamp }: Leaf): Found | undefined {
  const { mode, mtime, mtimeNs, target, content } = said
  const xattrs = keptAttributes(said.xattrs)
  const common = { path, mode, mtime, mtimeNs, ...(xattrs && { xattrs }) }
  const { file, start } = content
  const found = (entry: Entry): Found =>
    foundWith({ path, kind: entry.kind, file, start, stamp, changedAt: 0 }, () => entry)
  if (said.kind === 'file')
    return found({ ...common, kind: 'file', size: content.length, compression: 'zlib' })
  if (said.kind === 'fifo') return found({ ...common, kind: 'fifo', size: 0 })
  if (said.kind !== 'symlink') return undefined
  return found({ ...common, kind: 'symlink', target, size: Buffer.byteLength(target) })
}
