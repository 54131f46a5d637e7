import { availableParallelism } from 'node:os'
import type { Identity } from '../identity/index.ts'
import type { Db } from '../kernel/database.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock, Ids } from '../kernel/ports.ts'
import { createThreads, type Threads } from '../kernel/threads.ts'
import type { StorageDriver } from '../storage/index.ts'
import type { ComposeQuestion, ComposeResult, Composition } from './compose.ts'
import { isMirror, noSuchRepository } from './errors.ts'
import { damaged } from './format/errors.ts'
import { type ContentHash, hashFromText, type ObjectKind, objectPath, textOf } from './format/hash.ts'
import type { PackedObject } from './format/pack.ts'
import { readStored, storedBytes } from './objects.ts'
import { type Originals, type OriginalsOptions, openOriginals } from './originals.ts'
import type { References } from './references.ts'
import * as store from './repository.store.ts'
import type { CheckedPack, ServerJob } from './server-thread.ts'

export interface SoftwareOptions {
  readonly db: Db
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Where the packs of all repositories lie. */
  readonly storage: StorageDriver
  /** Opens and closes the private keys in the database. */
  readonly sealKey: Uint8Array
  readonly audit: Identity['audit']
  /** Puts a mail to accounts into the outbox, in the transaction of what it tells. */
  readonly tell: Identity['tell']
  /** Accounts that may approve what others propose at `/koto.example.org/releases`. */
  readonly approvers: (vo: string, path: string) => Promise<readonly string[]>
  /** A directory for what is being uploaded; its content is worth nothing after a restart. */
  readonly workDirectory: string
  /** Seconds for which an object that nothing refers to is kept. */
  readonly graceSeconds: number
  /** Seconds for which a proposal waits for somebody who approves it. */
  readonly proposalSeconds: number
  /** Memory for packs that many read from; 96 MiB when absent. */
  readonly packCacheBytes?: number
  /** How repositories of others are asked for. */
  readonly originals: OriginalsOptions
  /** Threads that others use as well, who end them; its own when absent. */
  readonly threads?: SoftwareThreads
}

/** What keeps a processor busy for long happens beside the requests. */
export interface SoftwareThreads {
  readonly checkers: Threads<ServerJob, CheckedPack | References>
  readonly composers: Threads<ServerJob, ComposeResult>
}

export const softwareThreads = (): SoftwareThreads => ({
  // One processor is for requests and catalogues: on few, more threads would only compile the same once more.
  checkers: createThreads(import.meta.url, 'server-thread', {
    most: Math.max(1, availableParallelism() - 1),
  }),
  composers: createThreads(import.meta.url, 'server-thread', { most: 3 }),
})

export interface Context extends Omit<SoftwareOptions, 'originals' | 'threads'> {
  readonly originals: Originals
  /**
   * The catalogues of a revision; `beyond` waits until the changes have more than so many bytes or are complete, and says
   * how many. Each catalogue is given to `keep` when it is made, and `atWork` is told now and then.
   */
  compose(
    repository: { id: number; name: string },
    composition: Composition,
    told: {
      beyond(bytes: number): Promise<number>
      keep(catalog: PackedObject): Promise<void>
      atWork(): Promise<void>
    },
  ): Promise<ComposeResult>
  /**
   * Lets one publication at a time be composed while its changes still come, which may be for hours: undefined when
   * another one is. What is given must be called at the end.
   */
  composeEarly(): (() => void) | undefined
  /** Looks at every object; what is given is given away, and comes back. */
  checkPack(pack: Buffer, mostPlain: number): Promise<CheckedPack>
  /** What a stored catalogue refers to. */
  references(stored: Buffer, hash: ContentHash): Promise<References>
  /** The repository, if it is one of the VO. */
  repository(name: string, vo?: string): Promise<store.RepositoryRow>
  /** The same, unless it is a mirror: what changes it is for its own publishers. */
  own(name: string, vo: string): Promise<store.RepositoryRow>
  /**
   * A whole object as it is stored, here or at the original; whoever unpacks it compares it with its name. Throws
   * software_too_great for what is not read whole.
   */
  stored(repository: { id: number; name: string }, hash: ContentHash, kind: ObjectKind): Promise<Buffer>
  close(): Promise<void>
}

export function openContext(options: SoftwareOptions): Context {
  const { checkers, composers } = options.threads ?? softwareThreads()
  let early = false
  const originals = openOriginals(options.originals, options)
  async function repository(name: string, vo?: string): Promise<store.RepositoryRow> {
    const found = await store.repositoryNamed(options.db, name)
    if (!found || (vo !== undefined && found.vo !== vo))
      throw noSuchRepository(`There is no repository ${name}.`)
    return found
  }
  return {
    ...{ ...options, originals, repository },
    compose: (of, composition, { beyond, keep, atWork }) =>
      composers.run(
        { do: 'compose', ...composition },
        {
          async answer(asked: ComposeQuestion) {
            if ('beyond' in asked) return beyond(asked.beyond)
            if ('load' in asked) return storedBytes(options, of, hashFromText(asked.load))
            await atWork()
            if ('keep' in asked) await keep(asked.keep)
          },
        },
      ),
    composeEarly() {
      if (early) return undefined
      early = true
      return () => {
        early = false
      }
    },
    async checkPack({ buffer, byteOffset, length }, mostPlain) {
      // Some share their memory with others.
      const pack = new Uint8Array(buffer as ArrayBuffer, byteOffset, length)
      const transfer = length === buffer.byteLength ? [pack.buffer] : []
      return (await checkers.run({ do: 'check', pack, mostPlain }, { transfer })) as CheckedPack
    },
    references: async (stored, hash) =>
      (await checkers.run({ do: 'references', stored, hash })) as References,
    async own(name, vo) {
      const found = await repository(name, vo)
      if (found.mirrorOf)
        throw isMirror(`${name} is a mirror: it changes where it comes from, ${found.mirrorOf[0]}.`)
      return found
    },
    async stored({ id, name }, hash, kind) {
      const here = await readStored(options, { id, name }, hash)
      if (here) return here
      const urls = (await store.repositoryNamed(options.db, name))?.mirrorOf
      const bytes = urls && (await originals.bytes({ name, urls }, objectPath(hash, kind), hash))
      if (!bytes) throw damaged(`Object ${textOf(hash)} of ${name} is missing.`)
      return bytes
    },
    async close() {
      if (!options.threads) await Promise.all([checkers.close(), composers.close()])
    },
  }
}
