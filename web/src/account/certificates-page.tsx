import { useQuery } from '@tanstack/react-query'
import { CopyCommand, Empty, Mark, Pending, Scroll, Time } from '../common/parts.tsx'
import {
  type Certificate,
  certificatesQuery,
  type IssuedCertificate,
  issuedQuery,
  revokeIssued,
  unlinkCertificate,
} from '../doors/mine.ts'
import { useMessages } from '../language/index.tsx'
import { LinkCertificate } from './link-certificate.tsx'
import { MakeCertificate } from './make-certificate.tsx'
import { Ends, Section, Sure, useMe } from './parts.tsx'

/** The certificates by which the grid knows one, and the ways to more of them. */
export function CertificatesPage() {
  return (
    <>
      <Linked />
      <div className="halves">
        <LinkCertificate />
        <MakeCertificate />
      </div>
      <Issued />
    </>
  )
}

function Linked() {
  const t = useMessages().account.certificates
  const asked = useQuery(certificatesQuery(useMe().vo))
  if (!asked.data) return <Pending of={asked} />
  return (
    <Section title={t.linked} hint={t.hint} flush act={<CopyCommand command="kumi cert ls" />}>
      {asked.data.length === 0 ? (
        <Empty>{t.none}</Empty>
      ) : (
        <Scroll label={t.linked}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.subject}</th>
                <th scope="col">{t.issuer}</th>
                <th scope="col">{t.expires}</th>
                <th scope="col">{t.origin}</th>
                <th scope="col">{t.unlink}</th>
              </tr>
            </thead>
            <tbody>
              {asked.data.map((certificate) => (
                <Row key={certificate.id} certificate={certificate} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Section>
  )
}

function Row({ certificate }: { certificate: Certificate }) {
  const t = useMessages().account.certificates
  const { vo } = useMe()
  const { id, subject, issuer, notAfter, label, origin, state, reason, createdAt, seenAt } = certificate
  return (
    <tr>
      <td className="break">
        {label && <strong>{label}</strong>} <span className="mono">{subject}</span>
        {state === 'suspended' && (
          <div>
            <Mark tone="down">{t.suspended}</Mark> {reason}
          </div>
        )}
      </td>
      <td className="break mono">{issuer ?? t.unknown}</td>
      <td data-label={t.expires}>
        {notAfter ? (
          <Ends at={notAfter} soonDays={origin === 'issued' ? 0 : 14} />
        ) : (
          <span className="quiet">{t.unknown}</span>
        )}
      </td>
      <td>
        {t.origins[origin] ?? origin} <Time at={createdAt} />
        {seenAt && (
          <div className="quiet">
            {t.lastSeen} <Time at={seenAt} />
          </div>
        )}
      </td>
      <td>
        <Sure
          label={t.unlink}
          of={label || subject}
          title={t.unlinkTitle}
          onSure={() => unlinkCertificate(vo, id)}
        >
          <p className="mono">{subject}</p>
          <p>{t.unlinkHint}</p>
        </Sure>
      </td>
    </tr>
  )
}

function Issued() {
  const t = useMessages().account.certificates
  const { vo } = useMe()
  const asked = useQuery(issuedQuery(vo))
  if (!asked.data) return <Pending of={asked} />
  const valid = asked.data.filter((one) => !one.revokedAt && Date.parse(one.notAfter) > Date.now())
  const revoke = ({ serial }: IssuedCertificate) => revokeIssued(vo, serial, t.revokeReason)
  return (
    <Section title={t.issued} flush act={<CopyCommand command="kumi cert issued" />}>
      {valid.length === 0 ? (
        <Empty>{t.noneIssued}</Empty>
      ) : (
        <Scroll label={t.issued}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.serial}</th>
                <th scope="col">{t.subject}</th>
                <th scope="col">{t.expires}</th>
                <th scope="col">{t.revoke}</th>
              </tr>
            </thead>
            <tbody>
              {valid.map((one) => (
                <tr key={one.serial}>
                  <td className="break mono">{one.serial}</td>
                  <td className="break mono">{one.subject}</td>
                  <td data-label={t.expires}>
                    <Ends at={one.notAfter} soonDays={0} />
                  </td>
                  <td>
                    <Sure label={t.revoke} of={one.serial} title={t.revokeTitle} onSure={() => revoke(one)}>
                      <p className="mono">{one.serial}</p>
                      <p>{t.revokeHint}</p>
                    </Sure>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Section>
  )
}
