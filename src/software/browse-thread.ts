import { serveJobs } from '../kernel/thread-errors.ts'
import { compareTrees, type TreeDifference } from './compare.ts'
import { openCatalog } from './format/catalog.ts'
import type { Entry } from './format/entry.ts'
import { hashFromText, textOf } from './format/hash.ts'
import { snapshotOf } from './reader/repository.ts'

/** What is looked up in trees; catalogues are databases, and reading them would hold the server up. */
export type BrowseJob =
  | {
      readonly do: 'entry'
      /** Of the repository. */
      readonly name: string
      readonly root: string
      readonly path: string
      readonly most: number
    }
  | {
      readonly do: 'compare'
      readonly roots: readonly [string, string]
      readonly most: number
      readonly mostEntries: number
    }

export interface FoundEntry {
  readonly entry: Entry
  /** What is in it, if it is a directory: the first by name. */
  readonly content: readonly Entry[]
  /** All of them. */
  readonly count: number
  /** Of the whole tree. */
  readonly files: number
  readonly bytes: number
}
export type BrowseResult = FoundEntry | TreeDifference

serveJobs<BrowseJob, string>(async (job, ask) => {
  const load = async (hash: Parameters<typeof textOf>[0]) =>
    Buffer.from((await ask(textOf(hash))) as Uint8Array)
  if (job.do === 'compare') {
    const [before, after] = job.roots
    const { most, mostEntries } = job
    const roots = [hashFromText(before), hashFromText(after)] as const
    return { result: await compareTrees(load, roots, { most, mostEntries }) }
  }
  const root = hashFromText(job.root)
  const snapshot = await snapshotOf(job.name, root, 0, load)
  const entry = await snapshot.entry(job.path)
  const content = entry.kind === 'directory' ? await snapshot.list(job.path) : []
  const top = openCatalog(await load(root))
  try {
    const [own, below] = [top.counters('self'), top.counters('subtree')]
    const result: FoundEntry = {
      ...{ entry, content: content.slice(0, job.most), count: content.length },
      files: own.regular + below.regular,
      bytes: own.file_size + below.file_size,
    }
    return { result }
  } finally {
    top.close()
  }
})
