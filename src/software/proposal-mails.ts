import type { MailToAccounts } from '../identity/index.ts'
import type { ProposalRow } from './proposal.store.ts'

type Proposal = Pick<
  ProposalRow,
  'id' | 'vo' | 'repository' | 'kind' | 'path' | 'account' | 'source' | 'tag' | 'ofRevision' | 'expiresAt'
>

/** To those who may approve it. */
export function proposedMail(proposal: Proposal, accounts: readonly string[]): MailToAccounts {
  const { id, vo, repository, account, expiresAt } = proposal
  const until = expiresAt.toISOString().slice(0, 10)
  return {
    ...{ vo, accounts, kind: 'software.proposed', once: `software proposed ${id}` },
    texts: {
      en: {
        subject: `${account} would like to change ${repository}`,
        body: `${account} would like to ${wish(proposal).en}.\nLook at it: kumi software proposal ${id}\nApprove or reject it until ${until} in the console, or with: kumi software approve ${id}`,
      },
      ja: {
        subject: `${account} さんが ${repository} の変更を提案しています`,
        body: `${account} さんの提案: ${wish(proposal).ja}\n内容の確認: kumi software proposal ${id}\n${until} までに、コンソールまたは次のコマンドで承認または却下してください: kumi software approve ${id}`,
      },
    },
  }
}

/** To whoever proposed it. */
export function decidedMail(
  proposal: Proposal,
  end: {
    state: 'committed' | 'rejected' | 'expired'
    by?: string
    reason?: string
    revision?: bigint
  },
): MailToAccounts {
  const { id, vo, repository, account } = proposal
  const { by = '', reason = '', revision } = end
  const en = {
    committed: `${by} approved it; ${proposal.kind === 'untag' ? 'it is done' : `it is revision ${revision}`}.`,
    rejected: `${by} rejected it. Reason: ${reason}`,
    expired: 'Nobody decided it in time. Propose it again if it is still wanted.',
  }[end.state]
  const ja = {
    committed: `${by} さんが承認しました${proposal.kind === 'untag' ? '' : `(リビジョン ${revision})`}。`,
    rejected: `${by} さんが却下しました。理由: ${reason}`,
    expired: '期限までに判断されませんでした。必要な場合は、もう一度提案してください。',
  }[end.state]
  return {
    ...{ vo, accounts: [account], kind: 'software.decided', once: `software decided ${id}` },
    texts: {
      en: {
        subject: `Your proposal for ${repository}`,
        body: `You proposed to ${wish(proposal).en}.\n${en}`,
      },
      ja: { subject: `${repository} への提案について`, body: `提案: ${wish(proposal).ja}\n${ja}` },
    },
  }
}

function wish({ kind, path, repository, source, tag, ofRevision }: Proposal): { en: string; ja: string } {
  const place = `${path || '/'} (${repository})`
  if (kind === 'publish') return { en: `publish ${source} at ${place}`, ja: `${source} を ${place} に公開` }
  if (kind === 'rollback')
    return {
      en: `put revision ${ofRevision} of ${repository} back`,
      ja: `${repository} をリビジョン ${ofRevision} に差し戻し`,
    }
  if (kind === 'tag')
    return {
      en: `give revision ${ofRevision} of ${repository} the tag ${tag}`,
      ja: `${repository} のリビジョン ${ofRevision} にタグ ${tag} を付与`,
    }
  return { en: `take the tag ${tag} of ${repository} away`, ja: `${repository} のタグ ${tag} を削除` }
}
