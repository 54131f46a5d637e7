import { checkDigests, type Digests, digester } from './digests.ts'
import type { Entry, StorageDriver, StoragePath } from './driver.ts'
import {
  alreadyExists,
  badPath,
  directoryNotEmpty,
  isADirectory,
  noParent,
  noSuchFile,
  notADirectory,
  sizeMismatch,
} from './errors.ts'
import { checkPath, HIDDEN, isWithin, show } from './names.ts'

interface File {
  readonly bytes: Buffer
  readonly digests: Digests
  readonly modified: Date
}
interface Directory {
  readonly children: Map<string, File | Directory>
  readonly modified: Date
}
type Node = File | Directory

const isDirectory = (node: Node | undefined): node is Directory => node !== undefined && 'children' in node

/** The contract in its plainest form, without a disk: what other drivers are compared with. */
export function memoryDriver(now: () => Date = () => new Date()): StorageDriver {
  const root: Directory = { children: new Map(), modified: now() }

  function find(path: StoragePath): Node | undefined {
    checkPath(path)
    let node: Node | undefined = root
    for (const name of path) node = isDirectory(node) ? node.children.get(name) : undefined
    return node
  }

  function makeParent(path: StoragePath): Directory {
    let node = root
    for (const name of path.slice(0, -1)) {
      const next = node.children.get(name) ?? { children: new Map(), modified: now() }
      if (!isDirectory(next)) throw notADirectory(`A part of ${show(path)} is a file, not a directory.`)
      node.children.set(name, next)
      node = next
    }
    return node
  }

  function parentOf(path: StoragePath): Directory {
    return find(path.slice(0, -1)) as Directory
  }

  function fileAt(path: StoragePath): File {
    const node = find(path)
    if (!node) throw noSuchFile(`${show(path)} does not exist.`)
    if (isDirectory(node)) throw isADirectory(`${show(path)} is a directory.`)
    return node
  }

  function checkTarget(path: StoragePath, overwrite: boolean): File | undefined {
    const there = find(path)
    if (isDirectory(there)) throw isADirectory(`${show(path)} is a directory.`)
    if (there && !overwrite) throw alreadyExists(`${show(path)} exists already.`)
    return there
  }

  return {
    async stat(path) {
      const node = find(path)
      return node && entryOf(path.at(-1) ?? '', node)
    },
    async list(path) {
      const node = find(path)
      if (!node) throw noSuchFile(`${show(path)} does not exist.`)
      if (!isDirectory(node)) throw notADirectory(`${show(path)} is a file.`)
      const shown = [...node.children].filter(([name]) => path.length > 0 || !HIDDEN.has(name))
      return shown.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, child]) => entryOf(name, child))
    },
    async read(path, range) {
      const { bytes } = fileAt(path)
      const part = range ? bytes.subarray(range.start, range.end + 1) : bytes
      return (async function* () {
        yield part
      })()
    },
    async write(path, body, { overwrite, size, expected, signal }) {
      checkTarget(path, overwrite)
      makeParent(path)
      const parts: Uint8Array[] = []
      const sums = digester()
      let held = 0
      for await (const chunk of body) {
        held += chunk.length
        if (size !== undefined && held > size) break
        parts.push(Uint8Array.from(chunk))
        sums.update(chunk)
      }
      const bytes = Buffer.concat(parts)
      if (size !== undefined && size !== held)
        throw sizeMismatch(`The body has ${held} bytes or more, but ${size} were announced.`)
      const digests = sums.done()
      checkDigests(expected, digests)
      signal?.throwIfAborted()
      // Much may have happened while the bytes came in.
      const replaced = checkTarget(path, overwrite)
      makeParent(path).children.set(path.at(-1)!, { bytes, digests, modified: now() })
      return { ...digests, size: bytes.length, created: !replaced }
    },
    async makeDirectory(path) {
      if (find(path)) throw alreadyExists(`${show(path)} exists already.`)
      const parent = find(path.slice(0, -1))
      if (!isDirectory(parent)) throw noParent(`The parent of ${show(path)} does not exist.`)
      parent.children.set(path.at(-1)!, { children: new Map(), modified: now() })
    },
    async move(from, to, { overwrite }) {
      const [node, target] = [find(from), find(to)]
      if (!node || from.length === 0) throw noSuchFile(`${show(from)} does not exist.`)
      if (isWithin(to, from)) throw badPath('A thing cannot be moved onto or into itself.')
      if (target && (!overwrite || isDirectory(target) || isDirectory(node)))
        throw alreadyExists(`${show(to)} exists already.`)
      makeParent(to).children.set(to.at(-1)!, node)
      parentOf(from).children.delete(from.at(-1)!)
    },
    async remove(path, { recursive = false } = {}) {
      const node = find(path)
      if (!node || path.length === 0) throw noSuchFile(`${show(path)} does not exist.`)
      if (isDirectory(node) && node.children.size > 0 && !recursive)
        throw directoryNotEmpty(`${show(path)} is not empty.`)
      parentOf(path).children.delete(path.at(-1)!)
    },
    async digest(path) {
      return fileAt(path).digests
    },
    async sum(path) {
      const sums = digester()
      sums.update(fileAt(path).bytes)
      return sums.done()
    },
  }
}

function entryOf(name: string, node: Node): Entry {
  return isDirectory(node)
    ? { name, directory: true, size: 0, modified: node.modified }
    : { name, directory: false, size: node.bytes.length, modified: node.modified }
}
