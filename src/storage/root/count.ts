import { defineError, isGridError } from '../../kernel/errors.ts'
import { createThreads, type Threads } from '../../kernel/threads.ts'
import type { CountJob, Piece } from './count-thread.ts'
import type { TreeCount } from './trees.ts'

/** What is in the file is not what can be counted. */
export const notCounted = defineError('invalid', 'root_not_counted')

export interface FarRootFile {
  readonly bytes: number
  /** Bytes from a position on; what it throws is thrown by those who count. */
  read(from: number, bytes: number): Promise<Uint8Array>
}

export interface RootCounter {
  /** Entries of the tree of a name, or of the only one. Throws root_not_counted with why. */
  entries(file: FarRootFile, tree: string | null): Promise<number>
  close(): Promise<void>
}

const DEADLINE_MS = 60_000
const MEMORY_MB = 192

/**
 * Counts in threads with little memory and a deadline, because files come from programs of users: one made to break its
 * reader breaks a thread, and says nothing that is believed.
 */
export function createRootCounter(): RootCounter {
  const threads: Threads<CountJob, TreeCount[]> = createThreads(import.meta.url, 'count-thread', {
    ...{ most: 2, deadlineMs: DEADLINE_MS, resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB } },
  })
  return {
    async entries(file, tree) {
      let away: unknown
      const answer = ({ from, bytes }: Piece) =>
        file.read(from, bytes).catch((error) => {
          away = error
          throw error
        })
      try {
        return chosen(await threads.run({ bytes: file.bytes }, { answer }), tree).entries
      } catch (error) {
        // A storage that does not answer says nothing about the file.
        if (away !== undefined) throw away
        if (isGridError(error, 'root_not_counted')) throw error
        throw notCounted(`it cannot be read as a ROOT file (${(error as Error).message})`, {}, error)
      }
    },
    close: () => threads.close(),
  }
}

function chosen(trees: readonly TreeCount[], name: string | null): TreeCount {
  const names = trees.map((tree) => tree.name).join(', ')
  if (name !== null) {
    const found = trees.find((tree) => tree.name === name)
    if (found) return found
    throw notCounted(`it holds no tree "${name}"${names ? `, but ${names}` : ''}`)
  }
  if (trees.length === 1) return trees[0]!
  throw notCounted(
    trees.length === 0 ? 'it holds no tree' : `it holds the trees ${names}; say which with "tree:"`,
  )
}
