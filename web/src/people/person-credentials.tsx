import { useQuery } from '@tanstack/react-query'
import { Mark, Pending, Time } from '../common/parts.tsx'
import { TablePanel } from '../common/table-panel.tsx'
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
import { Asking, ChangeForm, LongText, Step, useRights } from './parts.tsx'

export function Certificates({ account }: { account: string }) {
  const t = useMessages()
  const c = t.people.credentials
  const { vo, may } = useRights()
  const asked = useQuery(certificatesQuery(vo, account))
  const write = may('identity.certificate.write') && may('identity.write')
  return (
    <TablePanel
      label={c.certificates}
      columns={[c.subject, t.people.state, c.validUntil, t.people.change].map((title) => ({ title }))}
      empty={c.noCertificates}
      pending={!asked.data && <Pending of={asked} />}
      below={
        write && (
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
        )
      }
    >
      {(asked.data ?? []).map((one) => (
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
                <Asking label={c.unlink} question={c.unlinkSure} run={() => unlinkCertificate(vo, one.id)} />
              </div>
            )}
          </td>
        </tr>
      ))}
    </TablePanel>
  )
}

export function Sessions({ account }: { account: string }) {
  const t = useMessages()
  const c = t.people.credentials
  const { vo } = useRights()
  const asked = useQuery(sessionsQuery(vo, account))
  return (
    <TablePanel
      label={c.sessions}
      columns={[c.browser, c.from, c.lastSeen, c.ends, t.people.change].map((title) => ({ title }))}
      empty={c.noSessions}
      pending={!asked.data && <Pending of={asked} />}
    >
      {(asked.data ?? []).map((one) => (
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
    </TablePanel>
  )
}

export function Permissions({ account }: { account: string }) {
  const t = useMessages()
  const c = t.people.credentials
  const { vo } = useRights()
  const asked = useQuery(permissionsQuery(vo, account))
  return (
    <TablePanel
      label={c.permissions}
      columns={[c.program, c.scopes, c.lastUsed, c.ends, t.people.change].map((title) => ({ title }))}
      empty={c.noPermissions}
      pending={!asked.data && <Pending of={asked} />}
      below={
        asked.data &&
        asked.data.length > 1 && (
          <div className="inset">
            <Asking
              label={c.revokeAll}
              question={c.revokeAllSure}
              run={() => revokeAllPermissions(vo, account)}
            />
          </div>
        )
      }
    >
      {(asked.data ?? []).map((one) => (
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
    </TablePanel>
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
