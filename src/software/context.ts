import type { Identity } from '../identity/index.ts'
import type { Db } from '../kernel/database.ts'
import type { Logger } from '../kernel/log.ts'
import type { Clock, Ids } from '../kernel/ports.ts'
import type { StorageDriver } from '../storage/index.ts'
import { noSuchRepository } from './errors.ts'
import { hashFromText } from './format/hash.ts'
import type { PackEntry } from './format/pack.ts'
import { createThreads, type Threads } from './local/threads.ts'
import { storedBytes } from './objects.ts'
import * as store from './repository.store.ts'
import type { ComposeResult, ServerJob } from './server-thread.ts'

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
  /** A directory for what is being uploaded; its content is worth nothing after a restart. */
  readonly workDirectory: string
  /** Seconds for which an object that nothing refers to is kept. */
  readonly graceSeconds: number
  /** Memory for packs that many read from; 96 MiB when absent. */
  readonly packCacheBytes?: number
}

export interface Context extends SoftwareOptions {
  compose(job: Extract<ServerJob, { do: 'compose' }>): Promise<ComposeResult>
  checkPack(pack: Buffer, mostPlain: number): Promise<PackEntry[]>
  /** The repository, if it is one of the VO. */
  repository(name: string, vo?: string): Promise<store.RepositoryRow>
  close(): Promise<void>
}

export function openContext(options: SoftwareOptions): Context {
  const checkers: Threads<ServerJob, PackEntry[]> = createThreads(import.meta.url, 'server-thread')
  const composers: Threads<ServerJob, ComposeResult> = createThreads(import.meta.url, 'server-thread', {
    most: 2,
    answer: async ({ repository, hash }: { repository: { id: number; name: string }; hash: string }) => {
      const wanted = hashFromText(hash)
      return storedBytes(options, repository, wanted)
    },
  })
  return {
    ...options,
    compose: (job) => composers.run(job),
    checkPack: (pack, mostPlain) => checkers.run({ do: 'check', pack, mostPlain }),
    async repository(name, vo) {
      const found = await store.repositoryNamed(options.db, name)
      if (!found || (vo !== undefined && found.vo !== vo))
        throw noSuchRepository(`There is no repository ${name}.`)
      return found
    },
    async close() {
      await Promise.all([checkers.close(), composers.close()])
    },
  }
}
