import { type Db, type Tx, transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import { endApproved, refuseUnapproved } from './approval.ts'
import type { ComposeResult } from './compose.ts'
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
import type { ProposalRow } from './proposal.store.ts'
import * as publications from './publication.store.ts'
import * as store from './repository.store.ts'

export interface RevisionRequest {
  readonly kind: 'publish' | 'rollback'
  readonly path: string
  readonly account: string
  readonly source: string
  /** Undefined: the tree of `from` as it is. */
  readonly changes: Changes | undefined
  /** Revision whose tree is published again. */
  readonly from?: bigint
  /** It must still be open when the revision is made. What it refers to was wanted since it was opened. */
  readonly publication?: { readonly id: string; readonly openedAt: Date; extend(): Promise<void> }
  readonly tag?: { readonly name: string; readonly description: string } | undefined
  /** The proposal that it was, and who approves it; without, the repository must not need that. */
  readonly approved?: { readonly proposal: ProposalRow; readonly by: string } | undefined
}

/** Changes, one a line, in a file that may still grow. */
export interface Changes {
  readonly file: string
  /** Waits until there are more than so many bytes, or all, and says how many; throws when they break off. */
  beyond(bytes: number): Promise<number>
}

export interface MadeRevision {
  readonly revision: bigint
  readonly rootHash: string
  readonly put: number
  readonly removed: number
  /** Set: it waits for somebody who approves it. `revision` is then the one that stays the newest until that. */
  readonly proposal: { readonly id: string; readonly expiresAt: Date } | null
}

/** What was composed, with the catalogues that are not stored yet. */
export interface Composed extends ComposeResult {
  readonly last: readonly PackedObject[]
}

/** What is done with what was composed upon a revision; undefined: it is not the newest any more. */
export type Finish = (
  context: Context,
  repository: store.RepositoryRow,
  composed: Composed,
  request: RevisionRequest,
) => Promise<MadeRevision | undefined>

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
  finish: Finish = commit,
): Promise<MadeRevision> {
  for (let attempt = 1; ; attempt++) {
    const repository = await context.repository(name)
    const root =
      request.from === undefined
        ? repository.rootHash
        : (await keptRevision(context.db, id, request.from)).rootHash
    const next = repository.revision + 1n
    const now = context.clock.now()
    const catalogs = gatherObjects(context, now, repository)
    const composed = await context.compose(
      repository,
      {
        ...{ changes: request.changes?.file, path: request.path, root: root ?? undefined },
        ...{ algorithm: repository.algorithm, revision: Number(next), now },
      },
      {
        beyond: async (bytes) => request.changes?.beyond(bytes) ?? 0,
        keep: catalogs.add,
        atWork: async () => request.publication?.extend(),
      },
    )
    await catalogs.add(emptyFile(repository))
    const done = await finish(context, repository, { ...composed, last: catalogs.rest() }, request)
    if (done) return done
    if (attempt === TRIES) throw publicationConflict(`${name} changes too often at the moment; try again.`)
  }
}

/** Undefined when somebody else made a revision since `repository` was read. */
async function commit(
  context: Context,
  repository: store.RepositoryRow,
  composed: Composed,
  request: RevisionRequest,
): Promise<MadeRevision | undefined> {
  const { db, clock, audit } = context
  const next = repository.revision + 1n
  const rootHash = textOf(composed.root.hash)
  const rootSize = composed.root.size
  const now = clock.now()
  const row = {
    ...{ revision: next, rootHash, rootSize, kind: request.kind, path: request.path, at: now },
    ...{ account: request.account, source: request.source },
    ...{ put: BigInt(composed.put), removed: BigInt(composed.removed) },
    ...{ files: BigInt(composed.files), bytes: BigInt(composed.bytes) },
    approvedBy: request.approved?.by ?? null,
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
    if (request.approved) await endApproved(context, tx, now, { ...request.approved, revision: next })
    else await refuseUnapproved(tx, locked, { path: request.path, tag: request.tag?.name })
    // A collection may have given up the tree while it was composed.
    if (request.from !== undefined) await keptRevision(tx, repository.id, request.from)
    await checkUploaded(tx, now, repository.id, composed, request.publication?.openedAt ?? now)
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
      approvedBy: request.approved?.by,
    }
    await publish(tx, now, [{ vo, kind: 'software.published', subject: name, payload: detail }])
    const action = request.kind === 'publish' ? 'software.published' : 'software.rolled_back'
    await audit(tx, { vo, actor: request.account, action, target: name, detail })
    return { revision: next, rootHash, put: composed.put, removed: composed.removed, proposal: null }
  })
}

/** Throws software_objects_missing unless all is there that changes refer to; from now on it is wanted. */
export async function checkUploaded(
  tx: Tx,
  now: Date,
  repositoryId: number,
  { referred }: Pick<ComposeResult, 'referred'>,
  since: Date,
): Promise<void> {
  const absent: string[] = []
  for (const block of referred) absent.push(...(await missingHashes(tx, now, repositoryId, block, since)))
  if (absent.length > 0)
    throw objectsMissing(`${absent.length} objects were not uploaded, the first is ${absent[0]}.`, {
      missing: absent.slice(0, 100),
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

export function checkTag(tag: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(tag) || tag.startsWith(TRUNK))
    throw badTag(`"${tag}" cannot be a tag: letters, digits, ".", "_" and "-", not beginning with trunk.`)
}

export async function addTag(
  tx: Tx,
  now: Date,
  { id, name }: store.RepositoryRow,
  tag: { name: string; revision: bigint; description: string; account: string },
): Promise<void> {
  checkTag(tag.name)
  if ((await store.insertTag(tx, now, id, tag)) === 0)
    throw tagExists(`${name} has a tag ${tag.name} already.`)
}

/** Names a revision that is still whole. */
export async function tagRevision(
  context: Context,
  repository: store.RepositoryRow,
  tag: { name: string; revision?: bigint | undefined; description: string; account: string },
  approved?: RevisionRequest['approved'],
): Promise<void> {
  await signAgain(context, repository, async (tx, now, locked) => {
    const wanted = tag.revision ?? locked.revision
    if (!(await store.keptRevisions(tx, locked.id)).some((kept) => kept.revision === wanted))
      throw noSuchRevision(`${locked.name} has no revision ${wanted}, or its tree is gone.`)
    if (approved) await endApproved(context, tx, now, { ...approved, revision: wanted })
    else await refuseUnapproved(tx, locked, { path: '', tag: tag.name })
    await addTag(tx, now, locked, { ...tag, revision: wanted })
    const detail = { tag: tag.name, revision: Number(wanted), approvedBy: approved?.by }
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
  approved?: RevisionRequest['approved'],
): Promise<void> {
  await signAgain(context, repository, async (tx, now, locked) => {
    const named = (await store.tagsOf(tx, locked.id)).find(({ name }) => name === tag.name)
    if (!named || (await store.deleteTag(tx, locked.id, tag.name)) === 0)
      throw noSuchRevision(`${locked.name} has no tag ${tag.name}.`)
    if (approved) await endApproved(context, tx, now, { ...approved, revision: named.revision })
    else await refuseUnapproved(tx, locked, { path: '', tag: tag.name })
    const detail = { tag: tag.name, approvedBy: approved?.by }
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
  const { from, source } = await rollbackTo(context, repository, to)
  return makeRevision(context, repository, {
    ...{ kind: 'rollback', path: '', account: to.account, source, changes: undefined, from },
  })
}

/** Which revision is meant, and by what name. */
export async function rollbackTo(
  { db }: Context,
  { id, name }: store.RepositoryRow,
  to: { tag?: string | undefined; revision?: bigint | undefined },
): Promise<{ from: bigint; source: string }> {
  const from = to.revision ?? (await store.tagsOf(db, id)).find((tag) => tag.name === to.tag)?.revision
  if (from === undefined) throw noSuchRevision(`${name} has no tag ${to.tag ?? ''}.`)
  return { from, source: to.tag ?? `#${from}` }
}

/** Throws software_no_such_revision when its tree is given up. */
export async function keptRevision(db: Db, id: number, wanted: bigint): Promise<store.RevisionRow> {
  const kept = await store.keptRevisions(db, id)
  const found = kept.find((one) => one.revision === wanted)
  if (!found) throw noSuchRevision(`There is no revision ${wanted}, or its tree is gone.`)
  return found
}
