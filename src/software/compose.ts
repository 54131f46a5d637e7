import { closeSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { type Algorithm, type ContentHash, hashFromText, textOf } from './format/hash.ts'
import { plainForm } from './format/objects.ts'
import { openTree, TREE_LIMITS } from './format/tree.ts'
import { type Change, readChange } from './local/change.ts'

/** What a composition is to be made of. */
export interface Composition {
  /** File of changes, one a line, which may still grow; absent: the tree of `root` is published again as it is. */
  readonly changes?: string | undefined
  readonly path: string
  readonly root?: string | undefined
  readonly algorithm: Algorithm
  readonly revision: number
  readonly now: Date
}

/**
 * What a composition asks for while it runs: that its changes have more than so many bytes, a catalogue as it is stored,
 * that one is stored, or nothing: it is at work.
 */
export type ComposeQuestion =
  | { readonly beyond: number }
  | { readonly load: string }
  | { readonly keep: { readonly hash: ContentHash; readonly stored: Uint8Array } }
  | { readonly atWork: number }

export interface ComposeResult {
  readonly root: { readonly hash: ContentHash; readonly size: number }
  /** Digests of the objects that what was put refers to, one behind the other, in blocks. */
  readonly referred: readonly Uint8Array[]
  readonly put: number
  readonly removed: number
  /** Of the whole tree. */
  readonly files: number
  readonly bytes: number
}

/** Gathers digests; one that comes again soon is left out. */
function digests(): { add(hash: ContentHash): void; blocks(): Uint8Array[] } {
  const [blocks, recent] = [[] as Uint8Array[], new Set<string>()]
  const end = () => {
    if (recent.size > 0) blocks.push(new Uint8Array(Buffer.from([...recent].join(''), 'hex')))
    recent.clear()
  }
  return {
    add({ hex }) {
      recent.add(hex)
      if (recent.size === DIGESTS_A_BLOCK) end()
    },
    blocks() {
      end()
      return blocks
    },
  }
}
const DIGESTS_A_BLOCK = 10_000

const SAY_EACH = 50_000
/** Entries after which a path that is published is looked at whether it becomes a catalogue of its own. */
const DIVIDE_EACH = TREE_LIMITS.least

/** Lines of a file, some at a time; `beyond` says how many bytes it has when these are more, or all. */
async function* linesOf(
  file: string,
  beyond: (bytes: number) => Promise<unknown>,
): AsyncGenerator<readonly string[]> {
  let there = (await beyond(0)) as number
  const handle = openSync(file, 'r')
  try {
    const block = Buffer.alloc(1 << 17)
    const decoder = new StringDecoder('utf8')
    let [at, rest] = [0, '']
    while (at < there) {
      const read = readSync(handle, block, 0, Math.min(block.length, there - at), at)
      at += read
      const lines = (rest + decoder.write(block.subarray(0, read))).split('\n')
      rest = lines.pop()!
      yield lines
      if (at === there) there = (await beyond(at)) as number
    }
    yield [rest]
  } finally {
    closeSync(handle)
  }
}

/** Makes the catalogues of a revision from its changes, while they come. */
export async function compose(
  job: Composition,
  ask: (question: ComposeQuestion) => Promise<unknown>,
): Promise<ComposeResult> {
  const load = async (hash: ContentHash) => plainForm((await ask({ load: textOf(hash) })) as Uint8Array, hash)
  const root = job.root === undefined ? undefined : hashFromText(job.root)
  const tree = await openTree(root, { algorithm: job.algorithm, load, now: job.now })
  const referred = digests()
  let [put, removed] = [0, 0]
  try {
    tree.touch()
    // While the first changes are still on their way.
    await tree.prepare(job.path)
    const apply = async (change: Change): Promise<void> => {
      if ('remove' in change) {
        if (await tree.remove(change.remove)) removed++
        return
      }
      await tree.put(change.put)
      put++
      // As soon as it may be worth it: what is there by then is moved, and what follows is not.
      if (put % DIVIDE_EACH === 0 && put <= 4 * DIVIDE_EACH) await tree.divideAt(job.path)
      if (put % SAY_EACH === 0) await ask({ atWork: put })
      if (change.put.content) referred.add(change.put.content)
      for (const chunk of change.put.chunks ?? []) referred.add(chunk.hash)
    }
    if (job.changes !== undefined)
      for await (const lines of linesOf(job.changes, (bytes) => ask({ beyond: bytes })))
        for (const line of lines) if (line.trim() !== '') await apply(readChange(line, job.path))
    await tree.divideAt(job.path)
    const { hash, size, all } = await tree.finish(
      job.revision,
      async (object) => void (await ask({ keep: { hash: object.hash, stored: object.stored } })),
    )
    return {
      ...{ root: { hash, size }, referred: referred.blocks(), put, removed },
      ...{ files: all.regular, bytes: all.file_size },
    }
  } catch (error) {
    tree.abandon()
    throw error
  }
}
