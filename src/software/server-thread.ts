import { serveJobs } from '../kernel/thread-errors.ts'
import type { ComposeQuestion, Composition } from './compose.ts'
import type { ContentHash } from './format/hash.ts'
import { checkPack } from './format/pack.ts'

/** What the threads of the server do: look at what was uploaded, make catalogues and read them. */
export type ServerJob =
  | { readonly do: 'check'; readonly pack: Uint8Array; readonly mostPlain: number }
  | { readonly do: 'references'; readonly stored: Uint8Array; readonly hash: ContentHash }
  | ({ readonly do: 'compose' } & Composition)

serveJobs<ServerJob, ComposeQuestion>(async (job, ask) => {
  if (job.do === 'check')
    return {
      result: checkPack(Buffer.from(job.pack.buffer, job.pack.byteOffset, job.pack.length), job.mostPlain),
    }
  // Whoever only looks at packs needs no SQLite.
  if (job.do === 'references')
    return { result: (await import('./references.ts')).referencesOf(job.stored, job.hash) }
  return { result: await (await import('./compose.ts')).compose(job, ask) }
})
