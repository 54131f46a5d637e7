import { type Tx, transaction } from '../kernel/database.ts'
import { publish } from '../kernel/events.ts'
import type { Context } from './context.ts'
import {
  approvalNeeded,
  noSuchApproval,
  proposalConflict,
  proposalOver,
  publicationConflict,
} from './errors.ts'
import { isWithin } from './format/entry.ts'
import * as store from './proposal.store.ts'
import { decidedMail } from './proposal-mails.ts'
import { expirePublications, openPublications } from './publication.store.ts'
import { lockRepository, type RepositoryRow } from './repository.store.ts'

/** What is about to be changed: below a path; with a tag, or with `path` empty, it is about the whole tree. */
interface Wish {
  readonly path: string
  readonly tag?: string | undefined
}

/**
 * Whether somebody else has to approve. Above such a place, too: whoever publishes all of a repository publishes that. A
 * tag and an earlier tree concern everything, so any such place is enough. Pure.
 */
export function approvalFor(
  approvals: readonly Pick<store.ApprovalRow, 'path'>[],
  { path, tag }: Wish,
): boolean {
  return approvals.some((one) => tag !== undefined || isWithin(one.path, path) || isWithin(path, one.path))
}

/** Says below which path of a repository publications need approval, or that they do not any more. */
export async function setApproval(
  context: Context,
  name: string,
  vo: string,
  { path, needed, account }: { path: string; needed: boolean; account: string },
): Promise<store.ApprovalRow[]> {
  const { id } = await context.own(name, vo)
  return transaction(context.db, async (tx) => {
    const now = context.clock.now()
    await lockRepository(tx, id)
    const changed = needed
      ? await store.insertApproval(tx, now, { repositoryId: id, path, account })
      : await store.deleteApproval(tx, id, path)
    const approvals = await store.approvalsOf(tx, id)
    if (!needed && changed === 0)
      throw noSuchApproval(
        `${name} needs no approval at ${path || '/'}${approvals.length > 0 ? `, but at ${approvals.map((one) => one.path || '/').join(', ')}` : ''}.`,
      )
    if (changed > 0) {
      await publish(tx, now, [{ vo, kind: 'software.approval', subject: name, payload: { path, needed } }])
      const action = needed ? 'software.approval_demanded' : 'software.approval_ended'
      await context.audit(tx, { vo, actor: account, action, target: name, detail: { path } })
    }
    return approvals
  })
}

/** Throws when what somebody is about to do at once needs approval; it may have been demanded meanwhile. */
export async function refuseUnapproved(tx: Tx, repository: RepositoryRow, wish: Wish): Promise<void> {
  if (approvalFor(await store.approvalsOf(tx, repository.id), wish))
    throw approvalNeeded(
      `${repository.name} needs approval since a moment ago: do the same again, and it is proposed.`,
    )
}

/** Ends an approved proposal in the transaction that does what was proposed; it must still be what it was. */
export async function endApproved(
  context: Context,
  tx: Tx,
  now: Date,
  { proposal, by, revision }: { proposal: store.ProposalRow; by: string; revision: bigint },
): Promise<void> {
  const { id, vo, repository, path } = proposal
  refuseOvertaken((await store.proposalOf(tx, id)) ?? proposal)
  if ((await store.endProposal(tx, now, id, { state: 'committed', by, revision })) === 0)
    throw proposalOver('Meanwhile this proposal was decided or withdrawn, or it has expired.')
  if (changesTree(proposal)) {
    await expirePublications(tx, now)
    const others = await openPublications(tx, proposal.repositoryId)
    const other = others.find((one) => isWithin(one.path, path) || isWithin(path, one.path))
    // Whoever publishes there compared with what is published now.
    if (other)
      throw publicationConflict(
        `${other.account} has been publishing ${other.path || '/'} of ${repository} since ${other.openedAt.toISOString()} from ${other.source}. Approve when that is over.`,
        { publication: other.id, path: other.path, account: other.account },
      )
  }
  const detail = { ...factsOf(proposal), revision: Number(revision) }
  await context.audit(tx, { vo, actor: by, action: 'software.approved', target: repository, detail })
  await context.tell(tx, now, decidedMail(proposal, { state: 'committed', by, revision }))
}

export const changesTree = ({ kind }: Pick<store.ProposalRow, 'kind'>): boolean =>
  kind === 'publish' || kind === 'rollback'

/** Throws when something was published since that a proposal did not know of. */
export function refuseOvertaken({ overtakenBy, repository, path, base, account }: store.ProposalRow): void {
  if (overtakenBy === null) return
  throw proposalConflict(
    `Revision ${overtakenBy} changed ${path || '/'} of ${repository} after this was proposed upon revision ${base}. Reject it, and let ${account} propose it again.`,
    { revision: Number(overtakenBy) },
  )
}

/** What the audit log says of a proposal. */
export const factsOf = (p: store.ProposalRow) => ({
  ...{ proposal: p.id, kind: p.kind, path: p.path, source: p.source, proposedBy: p.account },
  ...{ tag: p.tag ?? undefined, ofRevision: p.kind === 'publish' ? undefined : Number(p.ofRevision) },
})
