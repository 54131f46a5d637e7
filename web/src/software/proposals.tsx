import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { Asking, Panel } from '../common/acting.tsx'
import { bytes } from '../common/format.ts'
import { Mark, Pending, Time } from '../common/parts.tsx'
import {
  approveProposal,
  type Proposal,
  proposalChangesQuery,
  proposalsQuery,
  rejectProposal,
  withdrawProposal,
} from '../doors/software.ts'
import { useMessages } from '../language/index.tsx'
import { Differences } from './compare.tsx'

/** What waits for somebody who approves it, of one repository or of all; nothing when nothing does. */
export function Proposals({ repository }: { repository?: string }) {
  const t = useMessages()
  const asked = useQuery(proposalsQuery)
  const found = asked.data?.filter((one) => repository === undefined || one.repository === repository) ?? []
  if (found.length === 0) return null
  return (
    <Panel title={t.software.proposals} flush>
      {found.map((one) => (
        <Line key={one.id} proposal={one} named={repository === undefined} />
      ))}
    </Panel>
  )
}

function Line({ proposal, named }: { proposal: Proposal; named: boolean }) {
  const t = useMessages()
  const [open, setOpen] = useState(false)
  const { id, repository, kind, account, source, proposedAt, expiresAt, put, removed, files } = proposal
  const changesTree = kind === 'publish' || kind === 'rollback'
  return (
    <section className="rule" aria-label={wordsOf(t, proposal)}>
      <div>
        {named && (
          <div className="break">
            <Link to="/software/$name" params={{ name: repository }}>
              {repository}
            </Link>
          </div>
        )}
        <div className="break">
          <b>{wordsOf(t, proposal)}</b>
          {kind === 'publish' && <> · {t.software.changes(put, removed)}</>}
          {files !== null && (
            <span className="quiet"> · {t.software.tree(files, bytes(proposal.bytes ?? 0))}</span>
          )}
        </div>
        <div className="quiet break">
          {account} · <Time at={proposedAt} />
          {source && ` · ${t.software.from} ${source}`} · {t.software.waitsUntil} <Time at={expiresAt} day />
        </div>
        {proposal.overtakenBy !== null && (
          <Mark tone="degraded">{t.software.overtaken(proposal.overtakenBy)}</Mark>
        )}
        {open && <Changes id={id} />}
      </div>
      <div className="moves">
        {changesTree && (
          <Button size="xs" variant="default" aria-expanded={open} onClick={() => setOpen(!open)}>
            {t.software.difference}
          </Button>
        )}
        {proposal.mayDecide && (
          <>
            {proposal.overtakenBy === null && (
              <Asking
                label={t.software.approve}
                question={t.software.approveSure(account)}
                danger={false}
                run={() => approveProposal(id)}
              />
            )}
            <Asking
              label={t.software.reject}
              question={t.software.rejectSure(account)}
              reason={t.software.rejectReason}
              run={(reason) => rejectProposal(id, reason)}
            />
          </>
        )}
        {proposal.mine && (
          <Asking
            label={t.software.withdraw}
            question={t.software.withdrawSure}
            run={() => withdrawProposal(id)}
          />
        )}
      </div>
    </section>
  )
}

function wordsOf(t: ReturnType<typeof useMessages>, { kind, path, tag, ofRevision }: Proposal): string {
  if (kind === 'publish') return t.software.wish.publish(path || '/', tag)
  if (kind === 'rollback') return t.software.wish.rollback(ofRevision ?? 0)
  return kind === 'tag' ? t.software.wish.tag(tag ?? '', ofRevision ?? 0) : t.software.wish.untag(tag ?? '')
}

function Changes({ id }: { id: string }) {
  const asked = useQuery(proposalChangesQuery(id))
  if (!asked.data) return <Pending of={asked} />
  return <Differences compared={asked.data}>{({ path }) => path || '/'}</Differences>
}
