import { setFlagsFromString } from 'node:v8'
import { serveJobs } from '../kernel/thread-errors.ts'
import type { ComposeQuestion, Composition } from './compose.ts'
import type { ContentHash } from './format/hash.ts'
import { checkPack, type PackEntry } from './format/pack.ts'

/** What the threads of the server do: look at what was uploaded, make catalogues and read them. */
export type ServerJob =
  | { readonly do: 'check'; readonly pack: Uint8Array<ArrayBuffer>; readonly mostPlain: number }
  | { readonly do: 'references'; readonly stored: Uint8Array; readonly hash: ContentHash }
  | ({ readonly do: 'compose' } & Composition)

/** A pack after every object in it was looked at. */
export interface CheckedPack {
  readonly pack: Uint8Array
  readonly entries: readonly PackEntry[]
}

// SQLite is a program of its own here, and most catalogues are done before it is worth optimising as early as usual.
setFlagsFromString('--wasm-tiering-budget=10000000')

serveJobs<ServerJob, ComposeQuestion>(async (job, ask) => {
  if (job.do === 'check') {
    const { pack, mostPlain } = job
    const { buffer, byteOffset, length } = pack
    const entries = checkPack(Buffer.from(buffer, byteOffset, length), mostPlain)
    return { result: { pack, entries } satisfies CheckedPack, transfer: [buffer] }
  }
  // Whoever only looks at packs needs no SQLite.
  if (job.do === 'references')
    return { result: (await import('./references.ts')).referencesOf(job.stored, job.hash) }
  return { result: await (await import('./compose.ts')).compose(job, ask) }
})
