import type { Readable } from 'node:stream'
import type { Worker } from '../kernel/workers.ts'
import type { ByteRange } from '../storage/index.ts'
import { setApproval } from './approval.ts'
import { type Browser, openBrowser } from './browse.ts'
import { type CollectionPlan, collect, packWorker, planCollection } from './collect.ts'
import { openContext, type SoftwareOptions } from './context.ts'
import { type ContentHash, objectPath } from './format/hash.ts'
import { bytesOf, HELD_BYTES } from './format/incoming.ts'
import { readManifest } from './format/manifest.ts'
import type { CacheCounts } from './local/object-cache.ts'
import { type MirrorRow, mirrorsOf } from './mirror.store.ts'
import { copyWorker } from './mirror-copy.ts'
import * as mirrors from './mirrors.ts'
import { placeOf } from './object.store.ts'
import { readObject, wholePack } from './objects.ts'
import { createPackCache } from './pack-cache.ts'
import { type PinnedRelease, pinRelease } from './pin.ts'
import { type ApprovalRow, type ProposalRow, proposalOf, proposalsOf } from './proposal.store.ts'
import * as proposals from './proposals.ts'
import type { PublicationRow } from './publication.store.ts'
import * as publications from './publications.ts'
import type { NewRepository, RepositoryState } from './repositories.ts'
import * as repositories from './repositories.ts'
import * as store from './repository.store.ts'
import type { MadeRevision } from './revisions.ts'

/** What is served of a repository besides its objects. */
export interface ServedDocument {
  readonly bytes: Buffer
  readonly modified: Date
}
/** An object as it is stored; what of it is wanted is read when it is asked for. */
export interface ServedObject {
  readonly length: number
  read(range?: ByteRange): Promise<AsyncIterable<Uint8Array> | Buffer>
}
export type DocumentName = 'manifest' | 'whitelist' | 'reflog' | 'master-replica'

/** The room: repositories, what is published in them, and their bytes. */
export interface Software {
  create(input: NewRepository): Promise<RepositoryState>
  list(vo: string): Promise<store.RepositoryRow[]>
  describe(name: string, vo: string): Promise<RepositoryState>
  revisions(name: string, vo: string, limit: number): Promise<store.RevisionRow[]>
  openPublication(
    input: Parameters<typeof publications.openPublication>[1],
  ): Promise<publications.OpenedPublication>
  publicationOf(id: string): Promise<PublicationRow>
  knownObjects(id: string, plains: readonly string[]): Promise<{ plain: string; hash: string }[]>
  acceptPack(id: string, pack: Buffer): Promise<{ objects: number }>
  commit(id: string, changes: Readable, tag?: { name: string; description: string }): Promise<MadeRevision>
  cancel(id: string): Promise<boolean>
  tag(
    name: string,
    vo: string,
    tag: { name: string; revision?: bigint | undefined; description: string; account: string },
  ): Promise<MadeRevision['proposal']>
  removeTag(
    name: string,
    vo: string,
    tag: { name: string; account: string },
  ): Promise<MadeRevision['proposal']>
  rollback(
    name: string,
    vo: string,
    to: { tag?: string | undefined; revision?: bigint | undefined; account: string },
  ): Promise<MadeRevision>
  /** Below which paths somebody else has to approve from now on, or not any more. */
  setApproval(
    name: string,
    vo: string,
    change: { path: string; needed: boolean; account: string },
  ): Promise<ApprovalRow[]>
  proposals(
    vo: string,
    which: { repository?: string | undefined; all: boolean; limit: number },
  ): Promise<ProposalRow[]>
  /** Throws software_no_such_proposal. */
  proposal(vo: string, id: string): Promise<ProposalRow>
  /** Undefined when the VO has none of this id. */
  findProposal(vo: string, id: string): Promise<ProposalRow | undefined>
  approve(vo: string, by: { id: string; account: string }): Promise<ProposalRow>
  reject(vo: string, by: { id: string; account: string; reason: string }): Promise<ProposalRow>
  withdraw(vo: string, by: { id: string; account: string }): Promise<ProposalRow>
  pin(vo: string, release: string): Promise<PinnedRelease>
  planCollection(name: string, vo: string, keep: number): Promise<CollectionPlan>
  collect(name: string, vo: string, input: { keep: number; account: string }): Promise<CollectionPlan>
  rotateKey(name: string, vo: string, account: string): Promise<void>
  whitelistToSign(name: string, vo: string): Promise<string>
  bringWhitelist(name: string, vo: string, account: string, bytes: Buffer): Promise<{ expiresAt: Date }>
  addMirror(input: mirrors.NewMirror): Promise<RepositoryState>
  mirrors(vo: string): Promise<MirrorRow[]>
  completeMirror(of: { name: string; vo: string; account: string }): Promise<RepositoryState>
  removeMirror(of: { name: string; vo: string; account: string }): Promise<void>
  /** What is kept of repositories that are read through. */
  mirrorCache(): Promise<CacheCounts>
  readonly browser: Omit<Browser, 'close'>
  /** For everybody: a repository of CVMFS is public. Undefined when there is none. */
  document(name: string, which: DocumentName): Promise<ServedDocument | undefined>
  /** `letter` stands behind the hash in its path: the original of a mirror is asked by it. */
  object(name: string, hash: ContentHash, letter?: string): Promise<ServedObject | undefined>
  readonly workers: readonly Worker[]
  close(): Promise<void>
}

/** A name is looked up for every object that is served; mirrors may be removed by another process. */
const KNOWN_NAMES = 1000
const KNOWN_MS = 10_000

export function createSoftware(options: SoftwareOptions): Software {
  const context = openContext(options)
  const { db } = context
  const browser = openBrowser(context)
  const cache = createPackCache(options.packCacheBytes)
  type Key = Pick<store.RepositoryRow, 'id' | 'name' | 'mirrorOf'>
  const keys = new Map<string, { key: Key; until: number }>()
  async function key(name: string): Promise<Key | undefined> {
    const now = context.clock.now().getTime()
    const known = keys.get(name)
    if (known && known.until > now) return known.key
    const found = await store.repositoryNamed(db, name)
    if (!found) return undefined
    if (keys.size >= KNOWN_NAMES) keys.clear()
    keys.set(name, { key: { id: found.id, name, mirrorOf: found.mirrorOf }, until: now + KNOWN_MS })
    return keys.get(name)?.key
  }
  return {
    create: (input) => repositories.createRepository(context, input),
    list: (vo) => store.repositoriesOf(db, vo),
    describe: (name, vo) => repositories.describeRepository(context, name, vo),
    revisions: async (name, vo, limit) =>
      store.revisionsOf(db, (await context.repository(name, vo)).id, limit),
    openPublication: (input) => publications.openPublication(context, input),
    publicationOf: (id) => publications.publicationOf(context, id),
    knownObjects: (id, plains) => publications.knownObjects(context, id, plains),
    acceptPack: (id, pack) => publications.acceptPack(context, id, pack),
    commit: (id, changes, tag) => publications.commitPublication(context, id, changes, tag),
    cancel: (id) => publications.cancelPublication(context, id),
    tag: async (name, vo, tag) => proposals.tag(context, await context.own(name, vo), tag),
    removeTag: async (name, vo, tag) => proposals.removeTag(context, await context.own(name, vo), tag),
    rollback: async (name, vo, to) => proposals.rollback(context, await context.own(name, vo), to),
    setApproval: (name, vo, change) => setApproval(context, name, vo, change),
    async proposals(vo, which) {
      if (which.repository !== undefined) await context.repository(which.repository, vo)
      return proposalsOf(db, vo, which)
    },
    proposal: (vo, id) => proposals.proposalOf(context, vo, id),
    async findProposal(vo, id) {
      const found = await proposalOf(db, id)
      return found?.vo === vo ? found : undefined
    },
    approve: (vo, by) => proposals.approveProposal(context, vo, by),
    reject: (vo, by) => proposals.rejectProposal(context, vo, by),
    withdraw: (vo, by) => proposals.withdrawProposal(context, vo, by),
    pin: (vo, release) => pinRelease(context, vo, release),
    planCollection: async (name, vo, keep) => planCollection(context, await context.own(name, vo), keep),
    collect: async (name, vo, input) => collect(context, await context.own(name, vo), input),
    rotateKey: (name, vo, account) => repositories.rotateKey(context, name, vo, account),
    whitelistToSign: (name, vo) => repositories.whitelistToSign(context, name, vo),
    bringWhitelist: (name, vo, account, bytes) =>
      repositories.bringWhitelist(context, name, vo, account, bytes),
    addMirror: (input) => mirrors.addMirror(context, input),
    mirrors: (vo) => mirrorsOf(db, vo),
    completeMirror: (of) => mirrors.completeMirror(context, of),
    async removeMirror(of) {
      await mirrors.removeMirror(context, of)
      keys.delete(of.name)
    },
    mirrorCache: () => context.originals.counts(),
    browser,
    async document(name, which) {
      const found = await store.repositoryNamed(db, name)
      if (!found) return undefined
      const modified = found.publishedAt ?? found.createdAt
      if (found.mirrorOf) {
        // Copies of copies: others are to copy the original.
        if (which === 'master-replica') return undefined
        mirrors.stillTrusted(context.clock.now(), found)
        const reflog = which === 'reflog' ? await mirrors.reflogOf(context, found) : undefined
        if (which === 'reflog') return reflog && { bytes: reflog, modified }
      }
      if (which === 'master-replica') return { bytes: Buffer.from(`${name}\n`), modified }
      if (which === 'whitelist') return found.whitelist ? { bytes: found.whitelist, modified } : undefined
      if (!found.manifest) return undefined
      if (which === 'manifest') return { bytes: found.manifest, modified }
      const { reflog } = readManifest(found.manifest)
      const stored = reflog && (await readObject(context, found, reflog))
      if (!stored) return undefined
      return { bytes: await bytesOf(stored.body), modified }
    },
    async object(name, hash, letter = '') {
      const repository = await key(name)
      if (!repository) return undefined
      const kept = cache.find(repository.id, hash.hex)
      if (kept)
        return {
          length: kept.length,
          read: async (range) => (range ? kept.subarray(range.start, range.end + 1) : kept),
        }
      const place = await placeOf(db, repository.id, hash.hex)
      if (!place && repository.mirrorOf) {
        const of = { name, urls: repository.mirrorOf }
        return context.originals.object(of, `${objectPath(hash, 'file')}${letter}`, hash)
      }
      if (!place) return undefined
      const length = Number(place.length)
      if (length <= HELD_BYTES)
        cache.note(repository.id, place.packId, () => wholePack(context, repository.name, place.packId))
      return {
        length,
        read: async (range) =>
          (await readObject(context, repository, hash, range, place))?.body ?? Buffer.alloc(0),
      }
    },
    workers: [
      ...[repositories.whitelistWorker(context), packWorker(context), proposals.proposalWorker(context)],
      ...[mirrors.mirrorWorker(context), copyWorker(context)],
    ],
    close: async () => void (await Promise.all([browser.close(), context.close()])),
  }
}
