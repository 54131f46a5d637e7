import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { type Tx, transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import type { StoragePath } from '../storage/index.ts'
import { factsOf } from './approval.ts'
import type { Context } from './context.ts'
import { noSuchRevision, publicationConflict, tagExists } from './errors.ts'
import { textOf } from './format/hash.ts'
import { storeObjects } from './objects.ts'
import * as store from './proposal.store.ts'
import { proposedMail } from './proposal-mails.ts'
import { lockRepository, type RepositoryRow, tagsOf } from './repository.store.ts'
import { checkTag, checkUploaded, type Finish, keptRevision, type MadeRevision } from './revisions.ts'

/** Nobody composes for so long. */
export const DECIDING_MS = 2 * 3_600_000

/** Where the changes of a proposal lie until it is decided. */
export const changesPath = (repository: string, id: string): StoragePath => [repository, 'proposals', id]

/**
 * Instead of making a revision: everything of it is stored, and waits. The tree is kept as it would be now, to be looked
 * at; approved, its changes are applied to what is published by then.
 */
export const propose: Finish = async (context, repository, composed, request) => {
  const { db, storage } = context
  const publication = request.publication!
  const file = request.changes!.file
  const { size } = await stat(file)
  const changes = createReadStream(file) as AsyncIterable<Uint8Array>
  const path = changesPath(repository.name, publication.id)
  await storage.write(path, changes, { overwrite: true, size })
  await storeObjects(context, context.clock.now(), repository, composed.last)
  const approvers = await context.approvers(repository.vo, `/${repository.name}${request.path}`)
  return transaction(db, async (tx) => {
    const now = context.clock.now()
    const locked = (await lockRepository(tx, repository.id))!
    if (locked.revision !== repository.revision) return undefined
    await checkUploaded(tx, now, repository.id, composed, publication.openedAt)
    if (request.tag) await refuseTag(tx, locked, request.tag.name)
    const expiresAt = endOf(context, now)
    const rootHash = textOf(composed.root.hash)
    const sealed = await store.sealPublication(tx, now, publication.id, {
      ...{
        expiresAt,
        rootHash,
        ofRevision: locked.revision,
        tag: request.tag?.name ?? null,
        description: request.tag?.description ?? '',
      },
      ...{ put: BigInt(composed.put), removed: BigInt(composed.removed) },
      ...{ files: BigInt(composed.files), bytes: BigInt(composed.bytes) },
    })
    if (sealed === 0) throw publicationConflict('This publication has expired or was cancelled; begin anew.')
    await announce(context, tx, now, publication.id, approvers)
    const { put, removed } = composed
    return { revision: locked.revision, rootHash, put, removed, proposal: { id: publication.id, expiresAt } }
  })
}

const endOf = (context: Context, now: Date): Date => new Date(now.getTime() + context.proposalSeconds * 1000)

/** Proposes to publish the tree of an earlier revision again. Throws software_no_such_revision. */
export async function proposeRollback(
  context: Context,
  repository: RepositoryRow,
  wish: { from: bigint; source: string; account: string },
): Promise<MadeRevision> {
  const { id, expiresAt, revision, rootHash } = await insert(context, repository, async (tx, locked) => {
    const { rootHash, files, bytes } = await keptRevision(tx, locked.id, wish.from)
    const { account, source } = wish
    return {
      ...{ kind: 'rollback', account, source, tag: null, description: '', ofRevision: wish.from },
      ...{ rootHash, files, bytes },
    }
  })
  return { revision, rootHash: rootHash!, put: 0, removed: 0, proposal: { id, expiresAt } }
}

/** Proposes to name a revision, or to take a name away. Throws what doing it at once would throw. */
export async function proposeTag(
  context: Context,
  repository: RepositoryRow,
  wish: { name: string; revision: bigint | undefined; description: string; account: string } | Untag,
): Promise<{ id: string; expiresAt: Date }> {
  const common = {
    account: wish.account,
    source: '',
    tag: wish.name,
    rootHash: null,
    files: null,
    bytes: null,
  }
  return insert(context, repository, async (tx, locked) => {
    if ('remove' in wish) {
      const found = (await tagsOf(tx, locked.id)).find((tag) => tag.name === wish.name)
      if (!found) throw noSuchRevision(`${locked.name} has no tag ${wish.name}.`)
      return { ...common, kind: 'untag', description: '', ofRevision: found.revision }
    }
    await refuseTag(tx, locked, wish.name)
    const { revision } = await keptRevision(tx, locked.id, wish.revision ?? locked.revision)
    return { ...common, kind: 'tag', description: wish.description, ofRevision: revision }
  })
}
interface Untag {
  readonly name: string
  readonly account: string
  readonly remove: true
}

type Wanted = Pick<
  store.ProposalRow,
  'kind' | 'account' | 'source' | 'tag' | 'description' | 'ofRevision' | 'rootHash' | 'files' | 'bytes'
>

async function insert(
  context: Context,
  repository: RepositoryRow,
  wanted: (tx: Tx, locked: RepositoryRow) => Promise<Wanted>,
): Promise<{ id: string; expiresAt: Date; revision: bigint; rootHash: string | null }> {
  const approvers = await context.approvers(repository.vo, `/${repository.name}`)
  return transaction(context.db, async (tx) => {
    const now = context.clock.now()
    const locked = (await lockRepository(tx, repository.id))!
    const expiresAt = endOf(context, now)
    const { revision } = locked
    const proposal = {
      ...{ id: context.ids.uuid(), repositoryId: locked.id, base: revision, expiresAt },
      ...(await wanted(tx, locked)),
    }
    await store.insertProposal(tx, now, proposal)
    await announce(context, tx, now, proposal.id, approvers)
    return { id: proposal.id, expiresAt, revision, rootHash: proposal.rootHash }
  })
}

async function refuseTag(tx: Tx, { id, name }: RepositoryRow, tag: string): Promise<void> {
  checkTag(tag)
  if ((await tagsOf(tx, id)).some((one) => one.name === tag))
    throw tagExists(`${name} has a tag ${tag} already.`)
}

async function announce(
  context: Context,
  tx: Tx,
  now: Date,
  id: string,
  approvers: readonly string[],
): Promise<void> {
  const proposal = (await store.proposalOf(tx, id))!
  await store.replaceProposals(tx, now, proposal)
  const { vo, repository, account } = proposal
  const detail = factsOf(proposal)
  await publish(tx, now, [{ vo, kind: 'software.proposed', subject: repository, payload: detail }])
  await context.audit(tx, { vo, actor: account, action: 'software.proposed', target: repository, detail })
  const others = approvers.filter((one) => one !== account)
  if (others.length > 0) await context.tell(tx, now, proposedMail(proposal, others))
}
