import { availableParallelism } from 'node:os'
import { createThreads, type Threads } from '../../kernel/threads.ts'
import type { Entry } from '../format/entry.ts'
import { keptAt } from './kept.ts'
import { type LinkResult, linkWork, type Wanted } from './link-work.ts'

const BATCH_FILES = 250
const BATCHES = 16
/** Fewer are linked sooner than a thread is started. */
const WORTH_THREADS = 2000
const MOST_THREADS = 4

export interface LinkOptions {
  readonly store: string
  /** Where a file is to be; absent: it is only looked for. */
  readonly at?: ((entry: Entry) => string) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Links the files that are in the store already, which is mostly all or none: many together, as a promise for each would
 * take longer than its link, and by all processors.
 */
export async function* linked(
  files: readonly Entry[],
  { store, at, signal }: LinkOptions,
): AsyncGenerator<{ entry: Entry; kept: string; result: LinkResult }> {
  const threads: Threads<readonly Wanted[], LinkResult[]> = createThreads(import.meta.url, 'link-thread', {
    most: Math.min(MOST_THREADS, availableParallelism()),
  })
  const work = async (batch: readonly Entry[]) => {
    signal?.throwIfAborted()
    const wanted = batch.map(
      (entry): Wanted => ({ kept: keptAt(store, entry), size: entry.size, at: at?.(entry) }),
    )
    const results = files.length < WORTH_THREADS ? linkWork(wanted) : await threads.run(wanted)
    return batch.map((entry, i) => ({ entry, kept: wanted[i]!.kept, result: results[i]! }))
  }
  try {
    for (let next = 0; next < files.length; next += BATCH_FILES * BATCHES) {
      const some = files.slice(next, next + BATCH_FILES * BATCHES)
      const batches = Array.from({ length: Math.ceil(some.length / BATCH_FILES) }, (_, i) =>
        some.slice(i * BATCH_FILES, (i + 1) * BATCH_FILES),
      )
      yield* (await Promise.all(batches.map(work))).flat()
    }
  } finally {
    await threads.close()
  }
}
