import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import type { Worker } from '../kernel/workers.ts'
import { approvalFor, factsOf, refuseOvertaken } from './approval.ts'
import type { Context } from './context.ts'
import { fourEyes, noSuchProposal, proposalOver } from './errors.ts'
import * as store from './proposal.store.ts'
import { decidedMail } from './proposal-mails.ts'
import { changesPath, DECIDING_MS, proposeRollback, proposeTag } from './propose.ts'
import { growing } from './publications.ts'
import type { RepositoryRow } from './repository.store.ts'
import * as revisions from './revisions.ts'

/** A proposal of the VO. Throws software_no_such_proposal. */
export async function proposalOf(context: Context, vo: string, id: string): Promise<store.ProposalRow> {
  const found = await store.proposalOf(context.db, id)
  if (found?.vo !== vo) throw noSuchProposal(`There is no proposal ${id}.`)
  return found
}

/** A proposal that waits. Throws software_proposal_over. */
async function waiting(context: Context, vo: string, id: string): Promise<store.ProposalRow> {
  const found = await proposalOf(context, vo, id)
  if (found.state === 'proposed') return found
  const end = {
    committed: `was approved by ${found.decidedBy}`,
    rejected: `was rejected by ${found.decidedBy}`,
    cancelled: 'was withdrawn',
    expired: 'has expired',
  }[found.state]
  throw proposalOver(`This proposal ${end}${found.reason ? `: ${found.reason}` : ''}.`)
}

/** Does what was proposed, as if it were done now by whoever proposed it. */
export async function approveProposal(
  context: Context,
  vo: string,
  { id, account: by }: { id: string; account: string },
): Promise<store.ProposalRow> {
  const proposal = await waiting(context, vo, id)
  const { kind, account, repository, tag } = proposal
  if (account === by)
    throw fourEyes('This is your own proposal: somebody else has to approve it. Four eyes see more than two.')
  refuseOvertaken(proposal)
  const own = await context.own(repository, vo)
  const now = context.clock.now()
  if ((await store.beginDeciding(context.db, now, id, new Date(now.getTime() - DECIDING_MS))) === 0)
    throw proposalOver('This proposal has expired.')
  const approved = { proposal, by }
  if (kind === 'tag') {
    const { description, ofRevision } = proposal
    const named = { name: tag!, revision: ofRevision!, description, account }
    await revisions.tagRevision(context, own, named, approved)
  } else if (kind === 'untag') await revisions.removeTag(context, own, { name: tag!, account }, approved)
  else await publishProposed(context, own, proposal, by)
  return proposalOf(context, vo, id)
}

async function publishProposed(
  context: Context,
  repository: RepositoryRow,
  proposal: store.ProposalRow,
  by: string,
): Promise<void> {
  const { id, kind, path, account, source, tag, description, ofRevision } = proposal
  const common = { path, account, source, approved: { proposal, by } }
  if (kind === 'rollback') {
    await revisions.makeRevision(context, repository, {
      ...{ ...common, kind, changes: undefined, from: ofRevision! },
    })
    return
  }
  await mkdir(context.workDirectory, { recursive: true })
  const file = join(context.workDirectory, `${randomUUID()}.changes`)
  try {
    const changes = growing(file, Readable.from(await context.storage.read(changesPath(repository.name, id))))
    await changes.received
    await revisions.makeRevision(context, repository, {
      ...{ ...common, kind: 'publish', changes },
      tag: tag === null ? undefined : { name: tag, description },
    })
  } finally {
    await rm(file, { force: true })
  }
}

/** Turns a proposal down; whoever proposed it reads why. */
export async function rejectProposal(
  context: Context,
  vo: string,
  { id, account: by, reason }: { id: string; account: string; reason: string },
): Promise<store.ProposalRow> {
  const proposal = await waiting(context, vo, id)
  if (proposal.account === by)
    throw fourEyes(`This is your own proposal: take it back with kumi software withdraw ${id}`)
  await end(context, proposal, { state: 'rejected', by, reason })
  return proposalOf(context, vo, id)
}

/** Takes one's own proposal back. */
export async function withdrawProposal(
  context: Context,
  vo: string,
  { id, account }: { id: string; account: string },
): Promise<store.ProposalRow> {
  const proposal = await waiting(context, vo, id)
  if (proposal.account !== account)
    throw fourEyes(
      `Only ${proposal.account} can withdraw this; turn it down with kumi software reject ${id} --reason …`,
    )
  await end(context, proposal, { state: 'cancelled', by: null, reason: '' })
  return proposalOf(context, vo, id)
}

async function end(
  context: Context,
  proposal: store.ProposalRow,
  { state, by, reason }: { state: 'rejected' | 'cancelled'; by: string | null; reason: string },
): Promise<void> {
  const { id, vo, repository, account } = proposal
  await transaction(context.db, async (tx) => {
    const now = context.clock.now()
    if ((await store.endProposal(tx, now, id, { state, by, reason })) === 0)
      throw proposalOver('Meanwhile this proposal was decided or withdrawn, or it has expired.')
    const action = state === 'rejected' ? 'software.rejected' : 'software.withdrawn'
    const detail = { ...factsOf(proposal), ...(reason && { reason }) }
    await publish(tx, now, [{ vo, kind: action, subject: repository, payload: { proposal: id } }])
    await context.audit(tx, { vo, actor: by ?? account, action, target: repository, detail })
    if (state === 'rejected') await context.tell(tx, now, decidedMail(proposal, { state, by: by!, reason }))
  })
}

/** Ends proposals that nobody decided; what they alone used is collected later. */
export function proposalWorker(context: Context): Worker {
  const { db } = context
  return {
    name: 'software-proposals',
    wakeOn: ['software'],
    async tick(now) {
      const due = await store.dueProposals(db, now)
      for (const proposal of due)
        await transaction(db, async (tx) => {
          if ((await store.expireProposal(tx, now, proposal.id)) === 0) return
          const { vo, repository, id } = proposal
          await publish(tx, now, [
            { vo, kind: 'software.expired', subject: repository, payload: { proposal: id } },
          ])
          await context.tell(tx, now, decidedMail(proposal, { state: 'expired' }))
        })
      return { changed: due.length, nextWake: await store.firstProposalEnd(db) }
    },
  }
}

/** Done at once, or proposed when somebody else has to approve. */
export async function rollback(
  context: Context,
  repository: RepositoryRow,
  to: { tag?: string | undefined; revision?: bigint | undefined; account: string },
): Promise<revisions.MadeRevision> {
  if (!(await needed(context, repository))) return revisions.rollback(context, repository, to)
  const wish = await revisions.rollbackTo(context, repository, to)
  return proposeRollback(context, repository, { ...wish, account: to.account })
}

export async function tag(
  context: Context,
  repository: RepositoryRow,
  wish: { name: string; revision?: bigint | undefined; description: string; account: string },
): Promise<revisions.MadeRevision['proposal']> {
  if (await needed(context, repository))
    return proposeTag(context, repository, { ...wish, revision: wish.revision })
  await revisions.tagRevision(context, repository, wish)
  return null
}

export async function removeTag(
  context: Context,
  repository: RepositoryRow,
  wish: { name: string; account: string },
): Promise<revisions.MadeRevision['proposal']> {
  if (await needed(context, repository)) return proposeTag(context, repository, { ...wish, remove: true })
  await revisions.removeTag(context, repository, wish)
  return null
}

/** Whether what concerns the whole tree needs approval. */
const needed = async ({ db }: Context, { id }: RepositoryRow): Promise<boolean> =>
  approvalFor(await store.approvalsOf(db, id), { path: '' })
