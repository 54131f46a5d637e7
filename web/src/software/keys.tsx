import { NumberInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Panel, useRights } from '../common/acting.tsx'
import { bytes } from '../common/format.ts'
import { CopyCommand, Empty, Mark, Pending, Time } from '../common/parts.tsx'
import { type Mirror, planQuery, type Repository } from '../doors/software.ts'
import { useMessages } from '../language/index.tsx'
import { Expiry } from './parts.tsx'

/** By what the repository is trusted and until when; what it takes up, and what could go. */
export function Keys({ repository }: { repository: Repository }) {
  const t = useMessages()
  const { may } = useRights()
  const { name, whitelistExpiresAt, renewsItself, certificates, masterPublicPem, mirror } = repository
  return (
    <div className="halves">
      <div>
        <Panel title={t.software.whitelist}>
          <Expiry at={whitelistExpiresAt} />
          <p className="quiet flat">
            {mirror ? t.software.renewsThere : renewsItself ? t.software.renews : t.software.renewsNot}
          </p>
        </Panel>
        {!mirror && (
          <Panel title={t.software.certificates}>
            <ul className="plainlist">
              {certificates.map(({ createdAt, listedUntil }) => (
                <li key={createdAt}>
                  <span>
                    {t.software.since} <Time at={createdAt} />
                  </span>
                  {listedUntil ? (
                    <span className="quiet">
                      {t.software.listed} <Time at={listedUntil} />
                    </span>
                  ) : (
                    <Mark tone="ok">{t.software.signing}</Mark>
                  )}
                </li>
              ))}
            </ul>
          </Panel>
        )}
        {!mirror && (
          <Panel title={t.software.approval}>
            <p className="flat">
              {repository.approvals.length === 0
                ? t.software.noApproval
                : t.software.approvalBelow(repository.approvals.map(({ path }) => path || '/'))}
            </p>
            <CopyCommand command={`kumi software approval ${name} on --path /`} />
          </Panel>
        )}
        <Panel title={t.software.masterKey}>
          <pre className="mono pem">{masterPublicPem.trim()}</pre>
        </Panel>
      </div>
      <div>
        <Panel title={t.software.use}>
          <dl className="facts">
            <dt>{t.software.algorithm}</dt>
            <dd>{repository.algorithm}</dd>
            <dt>{t.software.rootHash}</dt>
            <dd className="mono">{repository.rootHash ?? '–'}</dd>
          </dl>
          <div className="moves">
            <CopyCommand command={`kumi software client-config ${name}`} />
          </div>
        </Panel>
        {(!mirror || mirror.copyWanted) && (
          <Panel title={t.software.space}>
            <div>{t.software.objects(repository.objects)}</div>
            <div>
              {t.software.used(bytes(repository.usedBytes))} ·{' '}
              {t.software.stored(bytes(repository.storedBytes))}
            </div>
          </Panel>
        )}
        {mirror ? (
          <Origin name={name} mirror={mirror} />
        ) : (
          <Panel title={t.software.plan}>
            {may('software.admin') ? <Plan name={name} /> : <Empty>{t.software.notYours}</Empty>}
          </Panel>
        )}
      </div>
    </div>
  )
}

/** Where a mirror comes from, and how much of it is here. */
function Origin({ name, mirror }: { name: string; mirror: Mirror }) {
  const t = useMessages()
  const { urls, checkedAt, failure, copyWanted, copyComplete, copiedRevision, copyFailure } = mirror
  return (
    <Panel title={t.software.mirrorOf}>
      <ul className="plainlist">
        {urls.map((url) => (
          <li key={url} className="mono break">
            {url}
          </li>
        ))}
      </ul>
      <p className="flat">
        {t.software.verified} <Time at={checkedAt} />
      </p>
      {failure && <Mark tone="degraded">{failure}</Mark>}
      <p className="flat">
        {!copyWanted
          ? t.software.readThrough
          : copyComplete
            ? t.software.complete
            : t.software.copying(copiedRevision, mirror.copyObjects, bytes(mirror.copyBytes))}
      </p>
      {copyFailure && <Mark tone="degraded">{copyFailure}</Mark>}
      <CopyCommand command={copyWanted ? 'kumi software mirror ls' : `kumi software mirror sync ${name}`} />
    </Panel>
  )
}

function Plan({ name }: { name: string }) {
  const t = useMessages()
  const [keep, setKeep] = useState(5)
  const [settled] = useDebouncedValue(keep, 400)
  const asked = useQuery(planQuery(name, settled))
  return (
    <>
      <NumberInput
        label={t.software.keep}
        min={1}
        max={1000}
        value={keep}
        onChange={(value) => setKeep(Number(value) || 1)}
        maw={260}
        mb="sm"
      />
      {!asked.data ? (
        <Pending of={asked} />
      ) : (
        <>
          <p className="flat">
            {asked.data.revisions.length === 0 && asked.data.objects === 0
              ? t.software.nothingToFree
              : t.software.planned(asked.data.revisions.length, asked.data.objects, bytes(asked.data.bytes))}
          </p>
          <p className="quiet flat">{t.software.kept(asked.data.kept.length)}</p>
        </>
      )}
      <CopyCommand command={`kumi software gc ${name} --keep ${keep} --dry-run`} />
    </>
  )
}
