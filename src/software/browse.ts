import { isUtf8 } from 'node:buffer'
import { createThreads, type Threads } from '../kernel/threads.ts'
import type { BrowseJob, BrowseResult, FoundEntry } from './browse-thread.ts'
import type { TreeDifference } from './compare.ts'
import type { Context } from './context.ts'
import { noSuchRevision } from './errors.ts'
import type { Entry } from './format/entry.ts'
import { hashFromText } from './format/hash.ts'
import { HELD_BYTES } from './format/incoming.ts'
import { plainForm } from './format/objects.ts'
import type { ProposalRow } from './proposal.store.ts'
import { checkPath } from './publications.ts'
import * as store from './repository.store.ts'

export interface SeenEntry extends Omit<FoundEntry, 'entry'> {
  readonly revision: bigint
  readonly entry: Entry
  /** The beginning of a file; null: it is not a text, or no file, or a great one of which nothing may be here. */
  readonly text: string | null
  /** Whether the text goes on. */
  readonly cut: boolean
}

/** Looks into the trees of repositories for people. */
export interface Browser {
  /** An entry of a revision, the newest unless one is given. Throws software_no_such_path, software_no_such_revision. */
  look(name: string, vo: string, at: { revision?: bigint | undefined; path: string }): Promise<SeenEntry>
  /** How two revisions differ. Throws software_no_such_revision. */
  compare(name: string, vo: string, revisions: readonly [bigint, bigint]): Promise<TreeDifference>
  /** What a proposal that waits would change. */
  compareProposal(proposal: ProposalRow): Promise<TreeDifference>
  close(): Promise<void>
}

const NO_DIFFERENCE: TreeDifference = { added: 0, changed: 0, removed: 0, paths: [], whole: true }
const MOST_ENTRIES = 2000
const MOST_PATHS = 1000
const MOST_COMPARED = 500_000
const MOST_TEXT = 256 << 10

export function openBrowser(context: Context): Browser {
  const threads: Threads<BrowseJob, BrowseResult> = createThreads(import.meta.url, 'browse-thread', {
    most: 1,
  })
  const run = ({ id, name }: store.RepositoryRow, job: BrowseJob) =>
    threads.run(job, {
      async answer(text: string) {
        const hash = hashFromText(text)
        return plainForm(await context.stored({ id, name }, hash, 'catalog'), hash)
      },
    })
  const rootOf = async ({ id, name }: store.RepositoryRow, revision: bigint): Promise<string> => {
    const found = (await store.keptRevisions(context.db, id)).find((one) => one.revision === revision)
    if (!found) throw noSuchRevision(`${name} has no revision ${revision}, or its tree is gone.`)
    return found.rootHash
  }
  return {
    async look(name, vo, at) {
      const repository = await context.repository(name, vo)
      const revision = at.revision ?? repository.revision
      const root = await rootOf(repository, revision)
      const found = (await run(repository, {
        ...{ do: 'entry', name, root, path: checkPath(at.path), most: MOST_ENTRIES },
      })) as FoundEntry
      return { ...found, revision, ...(await beginningOf(context, repository, found.entry)) }
    },
    async compare(name, vo, [before, after]) {
      const repository = await context.repository(name, vo)
      const roots = [await rootOf(repository, before), await rootOf(repository, after)] as const
      return (await run(repository, {
        ...{ do: 'compare', roots, most: MOST_PATHS, mostEntries: MOST_COMPARED },
      })) as TreeDifference
    },
    async compareProposal({ repository: name, vo, kind, base, ofRevision, rootHash, state }) {
      const repository = await context.repository(name, vo)
      if (rootHash === null || state !== 'proposed') return NO_DIFFERENCE
      const upon = kind === 'publish' ? ofRevision! : base
      const kept = (await store.keptRevisions(context.db, repository.id)).some((one) => one.revision === upon)
      const roots = [await rootOf(repository, kept ? upon : repository.revision), rootHash] as const
      return (await run(repository, {
        ...{ do: 'compare', roots, most: MOST_PATHS, mostEntries: MOST_COMPARED },
      })) as TreeDifference
    },
    close: () => threads.close(),
  }
}

async function beginningOf(
  context: Context,
  repository: store.RepositoryRow,
  entry: Entry,
): Promise<{ text: string | null; cut: boolean }> {
  const nothing = { text: null, cut: false }
  if (entry.kind !== 'file') return nothing
  if (entry.size === 0) return { text: '', cut: false }
  const piece = entry.chunks?.[0]
  const hash = piece?.hash ?? entry.content
  // A great one would be brought whole for its beginning.
  if (!hash || (piece?.size ?? entry.size) > HELD_BYTES) return nothing
  const plain = plainForm(await context.stored(repository, hash, piece ? 'chunk' : 'file'), hash, {
    compression: entry.compression,
    most: piece?.size ?? entry.size,
  })
  const cut = entry.size > MOST_TEXT
  const beginning = plain.subarray(0, MOST_TEXT)
  // A cut may go through a letter.
  const whole = cut ? beginning.subarray(0, Math.max(0, beginning.lastIndexOf(10) + 1)) : beginning
  if (whole.length === 0 || whole.includes(0) || !isUtf8(whole)) return nothing
  return { text: whole.toString('utf8'), cut }
}
