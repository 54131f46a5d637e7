import { type Tx, transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import type { Context } from './context.ts'
import {
  badTag,
  noSuchRevision,
  noWhitelist,
  objectsMissing,
  publicationConflict,
  tagExists,
} from './errors.ts'
import { hashFromText, hashOf, textOf } from './format/hash.ts'
import { TRUNK, writeHistory } from './format/history.ts'
import { writeManifest } from './format/manifest.ts'
import { storedDocument, storedForm } from './format/objects.ts'
import type { PackedObject } from './format/pack.ts'
import { writeReflog } from './format/reflog.ts'
import { openSigningKey } from './keys.ts'
import { missingHashes } from './object.store.ts'
import { gatherObjects, storeObjects } from './objects.ts'
import * as publications from './publication.store.ts'
import * as store from './repository.store.ts'
import type { ComposeResult } from './server-thread.ts'

export interface RevisionRequest {
  readonly kind: 'publish' | 'rollback'
  readonly path: string
  readonly account: string
  readonly source: string
  /** Lines of changes, from the first each time; undefined: the tree of `from` as it is. */
  readonly changes: (() => AsyncIterable<Uint8Array>) | undefined
  /** Revision whose tree is published again. */
  readonly from?: bigint
  /** It must still be open when the revision is made. What it refers to was wanted since it was opened. */
  readonly publication?: { readonly id: string; readonly openedAt: Date; extend(): Promise<void> }
  readonly tag?: { readonly name: string; readonly description: string } | undefined
}

export interface MadeRevision {
  readonly revision: bigint
  readonly rootHash: string
  readonly put: number
  readonly removed: number
}

/** How often a revision is tried anew because another one was made meanwhile; each try is a whole composition. */
const TRIES = 8

/**
 * Makes the next revision. Everything is written before it is referred to; the transaction that replaces the manifest is
 * the moment at which it exists. What was written before a crash is unused, and collected.
 */
export async function makeRevision(
  context: Context,
  { id, name }: Pick<store.RepositoryRow, 'id' | 'name'>,
  request: RevisionRequest,
): Promise<MadeRevision> {
  for (let attempt = 1; ; attempt++) {
    const repository = await context.repository(name)
    const root =
      request.from === undefined ? repository.rootHash : (await revision(context, id, request.from)).rootHash
    const next = repository.revision + 1n
    const now = context.clock.now()
    const catalogs = gatherObjects(context, now, repository)
    const changes = request.changes?.()[Symbol.asyncIterator]()
    const composed = await context
      .compose(
        repository,
        {
          ...{ do: 'compose', changes: changes !== undefined, path: request.path, root: root ?? undefined },
          ...{ algorithm: repository.algorithm, revision: Number(next), now },
        },
        {
          more: async () => changes && gathered(changes),
          keep: catalogs.add,
          atWork: async () => request.publication?.extend(),
        },
      )
      .finally(() => changes?.return?.())
    await catalogs.add(emptyFile(repository))
    const done = await commit(context, repository, next, { ...composed, last: catalogs.rest() }, request)
    if (done) return done
    if (attempt === TRIES) throw publicationConflict(`${name} changes too often at the moment; try again.`)
  }
}

/** The next blocks as one, of a size that is worth the way to another thread; undefined at the end. */
async function gathered(blocks: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
  const found: Uint8Array[] = []
  let bytes = 0
  while (bytes < WORTH_THE_WAY) {
    const next = await blocks.next()
    if (next.done) break
    found.push(next.value)
    bytes += next.value.length
  }
  return found.length === 0 ? undefined : Buffer.concat(found)
}
const WORTH_THE_WAY = 1 << 17

/** Undefined when somebody else made a revision since `repository` was read. */
async function commit(
  context: Context,
  repository: store.RepositoryRow,
  next: bigint,
  composed: ComposeResult & { readonly last: readonly PackedObject[] },
  request: RevisionRequest,
): Promise<MadeRevision | undefined> {
  const { db, clock, audit } = context
  const rootHash = textOf(composed.root.hash)
  const rootSize = composed.root.size
  const now = clock.now()
  const row = {
    ...{ revision: next, rootHash, rootSize, kind: request.kind, path: request.path, at: now },
    ...{ account: request.account, source: request.source },
    ...{ put: BigInt(composed.put), removed: BigInt(composed.removed) },
    ...{ files: BigInt(composed.files), bytes: BigInt(composed.bytes) },
  }
  // The documents name the tag and the revision that this transaction is about to make.
  return transaction(db, async (tx) => {
    const locked = (await store.lockRepository(tx, repository.id))!
    if (locked.revision !== repository.revision) return undefined
    if (
      request.publication &&
      (await publications.endPublication(tx, request.publication.id, 'committed', next)) === 0
    )
      throw publicationConflict('This publication has expired or was cancelled; begin anew.')
    // A collection may have given up the tree while it was composed.
    if (request.from !== undefined) await revision({ ...context, db: tx }, repository.id, request.from)
    const since = request.publication?.openedAt ?? now
    const absent: string[] = []
    for (const block of composed.referred)
      absent.push(...(await missingHashes(tx, now, repository.id, block, since)))
    if (absent.length > 0)
      throw objectsMissing(`${absent.length} objects were not uploaded, the first is ${absent[0]}.`, {
        missing: absent.slice(0, 100),
      })
    await store.insertRevision(tx, repository.id, row)
    if (request.tag)
      await addTag(tx, now, locked, { ...request.tag, revision: next, account: request.account })
    await sign(context, tx, now, locked, { revision: next, rootHash, rootSize }, composed.last)
    const { vo, name } = repository
    const detail = {
      revision: Number(next),
      path: request.path,
      source: request.source,
      tag: request.tag?.name,
    }
    await publish(tx, now, [{ vo, kind: 'software.published', subject: name, payload: detail }])
    const action = request.kind === 'publish' ? 'software.published' : 'software.rolled_back'
    await audit(tx, { vo, actor: request.account, action, target: name, detail })
    return { revision: next, rootHash, put: composed.put, removed: composed.removed }
  })
}

/** Nested catalogues that the grid makes are marked with an empty file. */
function emptyFile({ algorithm }: store.RepositoryRow): PackedObject {
  return storedForm(Buffer.alloc(0), algorithm)
}

/**
 * Writes history, reflog and manifest of the state that a transaction is about to commit, and with them the last of its
 * catalogues: one pack for all of a small change.
 */
async function sign(
  context: Context,
  tx: Tx,
  now: Date,
  repository: store.RepositoryRow,
  state: { revision: bigint; rootHash: string; rootSize: number },
  catalogs: readonly PackedObject[] = [],
): Promise<void> {
  const { id, name, algorithm, vo } = repository
  const [key] = await store.keysOf(tx, id, now)
  if (!key) throw noWhitelist(`${name} has no key to sign with.`)
  const root = hashFromText(state.rootHash)
  const tags = await store.tagsOf(tx, id)
  const history = storedForm(
    writeHistory(name, [
      ...tags.map((tag) => ({
        ...tag,
        root: hashFromText(tag.rootHash),
        rootSize: Number(tag.rootSize),
        revision: Number(tag.revision),
      })),
      {
        name: TRUNK,
        root,
        rootSize: state.rootSize,
        revision: Number(state.revision),
        at: now,
        description: '',
      },
    ]),
    algorithm,
  )
  const certificate = storedDocument(Buffer.from(key.certificatePem), algorithm)
  const metainfo = storedDocument(
    Buffer.from(JSON.stringify({ organisation: vo, description: repository.title })),
    algorithm,
  )
  const revisions = await store.keptRevisions(tx, id)
  const reflog = writeReflog(name, [
    ...revisions.map((one) => ({ kind: 'catalog' as const, hash: hashFromText(one.rootHash), at: one.at })),
    { kind: 'certificate', hash: certificate.hash, at: key.createdAt },
    { kind: 'metainfo', hash: metainfo.hash, at: repository.createdAt },
    { kind: 'history', hash: history.hash, at: now },
  ])
  const reflogHash = hashOf(reflog, algorithm)
  await storeObjects({ ...context, db: tx }, now, repository, [
    ...[...catalogs, history, certificate, metainfo],
    { hash: reflogHash, stored: reflog },
  ])
  const manifest = writeManifest(
    {
      ...{ repository: name, revision: Number(state.revision), root, rootSize: state.rootSize },
      ...{ ttl: repository.ttlSeconds, certificate: certificate.hash, history: history.hash },
      // Clients refuse a time before that of the manifest they know.
      publishedAt: repository.publishedAt && repository.publishedAt > now ? repository.publishedAt : now,
      ...{ metainfo: metainfo.hash, reflog: reflogHash, garbageCollectable: true },
    },
    algorithm,
    openSigningKey(key, context.sealKey),
  )
  await store.setManifest(tx, now, id, { ...state, manifest })
}

/** The same tree, with tags, keys and kept revisions as they are now. */
export async function signAgain(
  context: Context,
  { id }: Pick<store.RepositoryRow, 'id'>,
  change: (tx: Tx, now: Date, repository: store.RepositoryRow) => Promise<void> = async () => undefined,
): Promise<void> {
  const now = context.clock.now()
  await transaction(context.db, async (tx) => {
    const repository = (await store.lockRepository(tx, id))!
    await change(tx, now, repository)
    if (repository.rootHash === null) return
    const { revision, rootHash, rootSize } = repository
    await sign(context, tx, now, repository, { revision, rootHash, rootSize: Number(rootSize) })
  })
}

async function addTag(
  tx: Tx,
  now: Date,
  { id, name }: store.RepositoryRow,
  tag: { name: string; revision: bigint; description: string; account: string },
): Promise<void> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(tag.name) || tag.name.startsWith(TRUNK))
    throw badTag(
      `"${tag.name}" cannot be a tag: letters, digits, ".", "_" and "-", not beginning with trunk.`,
    )
  if ((await store.insertTag(tx, now, id, tag)) === 0)
    throw tagExists(`${name} has a tag ${tag.name} already.`)
}

/** Names a revision that is still whole. */
export async function tagRevision(
  context: Context,
  repository: store.RepositoryRow,
  tag: { name: string; revision?: bigint | undefined; description: string; account: string },
): Promise<void> {
  await signAgain(context, repository, async (tx, now, locked) => {
    const wanted = tag.revision ?? locked.revision
    if (!(await store.keptRevisions(tx, locked.id)).some((kept) => kept.revision === wanted))
      throw noSuchRevision(`${locked.name} has no revision ${wanted}, or its tree is gone.`)
    await addTag(tx, now, locked, { ...tag, revision: wanted })
    const detail = { tag: tag.name, revision: Number(wanted) }
    await context.audit(tx, {
      vo: locked.vo,
      actor: tag.account,
      action: 'software.tagged',
      target: locked.name,
      detail,
    })
  })
}

export async function removeTag(
  context: Context,
  repository: store.RepositoryRow,
  tag: { name: string; account: string },
): Promise<void> {
  await signAgain(context, repository, async (tx, _now, locked) => {
    if ((await store.deleteTag(tx, locked.id, tag.name)) === 0)
      throw noSuchRevision(`${locked.name} has no tag ${tag.name}.`)
    const detail = { tag: tag.name }
    await context.audit(tx, {
      vo: locked.vo,
      actor: tag.account,
      action: 'software.untagged',
      target: locked.name,
      detail,
    })
  })
}

/** Publishes the tree of an earlier revision as the next one: revisions only grow. */
export async function rollback(
  context: Context,
  repository: store.RepositoryRow,
  to: { tag?: string | undefined; revision?: bigint | undefined; account: string },
): Promise<MadeRevision> {
  const tags = await store.tagsOf(context.db, repository.id)
  const from = to.revision ?? tags.find(({ name }) => name === to.tag)?.revision
  if (from === undefined) throw noSuchRevision(`${repository.name} has no tag ${to.tag ?? ''}.`)
  const source = to.tag ?? `#${from}`
  return makeRevision(context, repository, {
    ...{ kind: 'rollback', path: '', account: to.account, source, changes: undefined, from },
  })
}

async function revision(context: Context, id: number, wanted: bigint): Promise<store.RevisionRow> {
  const kept = await store.keptRevisions(context.db, id)
  const found = kept.find((one) => one.revision === wanted)
  if (!found) throw noSuchRevision(`There is no revision ${wanted}, or its tree is gone.`)
  return found
}
