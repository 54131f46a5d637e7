import { Button, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { Asking, ChangeForm, useRights } from '../common/acting.tsx'
import { bytes } from '../common/format.ts'
import { Empty, More, Pending, Time } from '../common/parts.tsx'
import { type Repository, type Revision, revisionsQuery, rollback, tagRevision } from '../doors/software.ts'
import { useMessages } from '../language/index.tsx'

const PAGE = 50
const MOST = 1000

/** Who published what, newest first. */
export function Revisions({ repository }: { repository: Repository }) {
  const t = useMessages()
  const [most, setMost] = useState(PAGE)
  const asked = useQuery(revisionsQuery(repository.name, most))
  return (
    <div className="panel flush">
      {!asked.data ? (
        <Pending of={asked} />
      ) : asked.data.length === 0 ? (
        <Empty>{t.software.noRevisions}</Empty>
      ) : (
        asked.data.map((one, i) => (
          <Line key={one.revision} revision={one} before={asked.data[i + 1]} repository={repository} />
        ))
      )}
      {asked.data?.length === most && most < MOST && <More onMore={() => setMost(MOST)} />}
    </div>
  )
}

function Line({
  revision,
  before,
  repository: { name, revision: newest, tags, mirrorOf },
}: {
  revision: Revision
  before: Revision | undefined
  repository: Repository
}) {
  const t = useMessages()
  const { may } = useRights()
  const mayChange = may('software.publish') && mirrorOf === null
  const [tagging, setTagging] = useState(false)
  const {
    revision: number,
    kind,
    path,
    account,
    source,
    at,
    put,
    removed,
    droppedAt,
    files,
    bytes: size,
    approvedBy,
  } = revision
  const own = tags.filter((tag) => tag.revision === number)
  return (
    <section className="rule" aria-label={t.software.revisionOf(number)}>
      <div>
        <div className="row" style={{ justifyContent: 'flex-start' }}>
          <b>{t.software.revisionOf(number)}</b>
          {number === newest && <span className="tag">{t.software.current}</span>}
          {own.map((tag) => (
            <span className="tag" key={tag.name} title={tag.description}>
              {t.software.tag} {tag.name}
            </span>
          ))}
          {droppedAt && <span className="tag">{t.software.gone}</span>}
        </div>
        <div className="break">
          {t.software.kind[kind]}{' '}
          {kind !== 'mirror' && (
            <>
              <span className="mono">{path || '/'}</span> · {t.software.changes(put, removed)}
            </>
          )}
          {files !== null && size !== null && (
            <span className="quiet"> · {t.software.tree(files, bytes(size))}</span>
          )}
        </div>
        <div className="quiet break">
          {account && `${account} · `}
          <Time at={at} />
          {source && ` · ${t.software.from} ${source}`}
          {approvedBy && ` · ${t.software.approvedBy(approvedBy)}`}
        </div>
        {tagging && (
          <ChangeForm
            label={t.software.giveTag}
            submit={t.software.giveTag}
            run={async ({ tag = '', description = '' }) => {
              await tagRevision(name, number, tag, description)
              setTagging(false)
            }}
          >
            <TextInput name="tag" label={t.software.tagName} required autoFocus maxLength={100} />
            <TextInput name="description" label={t.software.tagDescription} maxLength={1000} />
          </ChangeForm>
        )}
      </div>
      {!droppedAt && (
        <div className="moves">
          <Link
            className="step"
            to="/software/$name"
            params={{ name }}
            search={{ view: 'files', revision: String(number) }}
          >
            {t.software.look}
          </Link>
          {before && !before.droppedAt && (
            <Link
              className="step"
              to="/software/$name"
              params={{ name }}
              search={{ view: 'compare', from: String(before.revision), to: String(number) }}
            >
              {t.software.difference}
            </Link>
          )}
          {mayChange && !tagging && (
            <Button size="xs" variant="default" onClick={() => setTagging(true)}>
              {t.software.giveTag}
            </Button>
          )}
          {mayChange && number !== newest && (
            <Asking
              label={t.software.rollback}
              question={t.software.rollbackSure(number)}
              danger={false}
              run={() => rollback(name, number)}
            />
          )}
        </div>
      )}
    </section>
  )
}
