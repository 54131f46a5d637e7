import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Empty, Mark, Pending, Scroll, Time } from '../common/parts.tsx'
import {
  certificatesQuery,
  endSession,
  linkCertificate,
  permissionsQuery,
  restoreCertificate,
  revokeAllPermissions,
  revokePermission,
  sessionsQuery,
  signatureQuery,
  signFor,
  suspendCertificate,
  unlinkCertificate,
  withdrawSignature,
} from '../doors/credentials.ts'
import type { Person } from '../doors/people.ts'
import { useMessages } from '../language/index.tsx'
import { Asking, ChangeForm, LongText, Panel, Step, useRights } from './parts.tsx'

/** A table of one kind of credential. */
function Listed({
  title,
  heads,
  asked,
  none,
  children,
}: {
  title: string
  heads: readonly string[]
  asked: {
    isPending: boolean
    error: Error | null
    refetch: () => unknown
    data?: readonly unknown[] | undefined
  }
  none: string
  children: ReactNode
}) {
  if (!asked.data) return <Pending of={asked} />
  if (asked.data.length === 0) return <Empty>{none}</Empty>
  return (
    <Scroll label={title}>
      <table>
        <thead>
          <tr>
            {heads.map((head) => (
              <th scope="col" key={head}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </Scroll>
  )
}

export function Certificates({ account }: { account: string }) {
  const t = useMessages()
  const c = t.people.credentials
  const { vo, may } = useRights()
  const asked = useQuery(certificatesQuery(vo, account))
  const write = may('identity.certificate.write') && may('identity.write')
  return (
    <Panel title={c.certificates} flush>
      <Listed
        title={c.certificates}
        heads={[c.subject, t.people.state, c.validUntil, t.people.change]}
        asked={asked}
        none={c.noCertificates}
      >
        {asked.data?.map((one) => (
          <tr key={one.id}>
            <td className="break">
              <div className="mono">{one.subject}</div>
              {one.issuer && <div className="mono quiet">{one.issuer}</div>}
            </td>
            <td>
              <Mark tone={one.state === 'linked' ? 'ok' : 'down'}>{c.state[one.state]}</Mark>
              {one.reason && <div className="quiet">{one.reason}</div>}
            </td>
            <td data-label={c.validUntil}>{one.notAfter && <Time at={one.notAfter} />}</td>
            <td>
              {write && (
                <div className="moves">
                  {one.state === 'suspended' ? (
                    <Step label={c.restore} run={() => restoreCertificate(vo, one.id)} />
                  ) : (
                    <Asking
                      label={c.suspend}
                      question={c.suspendSure}
                      reason={t.people.reason}
                      run={(reason) => suspendCertificate(vo, one.id, reason)}
                    />
                  )}
                  <Asking
                    label={c.unlink}
                    question={c.unlinkSure}
                    run={() => unlinkCertificate(vo, one.id)}
                  />
                </div>
              )}
            </td>
          </tr>
        ))}
      </Listed>
      {write && (
        <details className="more inset">
          <summary>{c.link}</summary>
          <ChangeForm
            label={c.link}
            submit={c.link}
            plain
            run={({ pem = '' }) => linkCertificate(vo, account, pem)}
          >
            <LongText name="pem" label={c.pem} rows={4} />
          </ChangeForm>
        </details>
      )}
    </Panel>
  )
}

export function Sessions({ account }: { account: string }) {
  const t = useMessages()
  const c = t.people.credentials
  const { vo } = useRights()
  const asked = useQuery(sessionsQuery(vo, account))
  return (
    <Panel title={c.sessions} flush>
      <Listed
        title={c.sessions}
        heads={[c.browser, c.from, c.lastSeen, c.ends, t.people.change]}
        asked={asked}
        none={c.noSessions}
      >
        {asked.data?.map((one) => (
          <tr key={one.id}>
            <td className="break">{one.user_agent}</td>
            <td>{one.address}</td>
            <td data-label={c.lastSeen}>
              <Time at={one.last_seen} />
            </td>
            <td data-label={c.ends}>
              <Time at={one.expires} />
            </td>
            <td>
              <Asking label={c.end} question={c.endSure} run={() => endSession(vo, account, one.id)} />
            </td>
          </tr>
        ))}
      </Listed>
    </Panel>
  )
}

export function Permissions({ account }: { account: string }) {
  const t = useMessages()
  const c = t.people.credentials
  const { vo } = useRights()
  const asked = useQuery(permissionsQuery(vo, account))
  return (
    <Panel title={c.permissions} flush>
      <Listed
        title={c.permissions}
        heads={[c.program, c.scopes, c.lastUsed, c.ends, t.people.change]}
        asked={asked}
        none={c.noPermissions}
      >
        {asked.data?.map((one) => (
          <tr key={one.id}>
            <td>{one.client_name}</td>
            <td className="break mono">{one.scopes.join(' ')}</td>
            <td data-label={c.lastUsed}>
              <Time at={one.last_used} />
            </td>
            <td data-label={c.ends}>
              <Time at={one.expires} />
            </td>
            <td>
              <Asking
                label={c.revoke}
                question={c.revokeSure}
                run={() => revokePermission(vo, account, one.id)}
              />
            </td>
          </tr>
        ))}
      </Listed>
      {asked.data && asked.data.length > 1 && (
        <div className="inset">
          <Asking
            label={c.revokeAll}
            question={c.revokeAllSure}
            run={() => revokeAllPermissions(vo, account)}
          />
        </div>
      )}
    </Panel>
  )
}

/** What was signed and until when it counts; two lines of a list of facts. */
export function SignatureFacts({ person }: { person: Person }) {
  const t = useMessages()
  const c = t.people.credentials
  const { vo, may } = useRights()
  const asked = useQuery({ ...signatureQuery(vo, person.id), enabled: person.signedAt !== null })
  const write = may('identity.write') && person.status === 'ACTIVE'
  return (
    <>
      <dt>{c.signature}</dt>
      <dd>
        {person.signedAt === null ? (
          c.notSigned
        ) : (
          <>
            <Time at={person.signedAt} />
            {asked.data && (
              <>
                {' '}
                · {c.version(asked.data.version)}
                {asked.data.signedBy !== person.name && <> · {c.signedBy(asked.data.signedBy)}</>}
                {asked.data.endsAt && (
                  <>
                    {' '}
                    · {c.counts} <Time at={asked.data.endsAt} />
                  </>
                )}
              </>
            )}
          </>
        )}
        {write && (
          <div className="moves">
            {person.standing.state === 'unsigned' && (
              <Asking
                label={c.signFor}
                question={c.signForSure(person.name)}
                danger={false}
                run={() => signFor(vo, person.id)}
              />
            )}
            {person.signedAt !== null && (
              <Asking
                label={c.withdraw}
                question={c.withdrawSure(person.name)}
                run={() => withdrawSignature(vo, person.id)}
              />
            )}
          </div>
        )}
      </dd>
    </>
  )
}
