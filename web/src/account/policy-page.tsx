import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { CopyCommand, Empty, Pending, Time } from '../common/parts.tsx'
import { policyQuery, signatureQuery } from '../doors/joining.ts'
import { useMessages } from '../language/index.tsx'
import { Ends, Section, useMe } from './parts.tsx'
import { PolicyText } from './policy-text.tsx'

/** What one signed, until when that counts, and the policy itself. */
export function PolicyPage() {
  const t = useMessages().account.policy
  const { vo, account } = useMe()
  const policy = useQuery(policyQuery(vo))
  const signature = useQuery(signatureQuery(vo))
  if (policy.data === undefined) return <Pending of={policy} />
  if (signature.data === undefined) return <Pending of={signature} />
  if (policy.data === null) return <Empty>{t.none}</Empty>
  const signed = signature.data
  const again = (
    <Link to="/sign" search={{ again: 'yes', next: '/account/policy' }}>
      {t.again}
    </Link>
  )
  return (
    <>
      <Section title={t.yours} act={again}>
        {signed ? (
          <dl className="facts">
            <dt>{t.signed}</dt>
            <dd>
              <Time at={signed.signatureTime} />
            </dd>
            <dt>{t.signedVersion}</dt>
            <dd>
              {signed.version}
              {signed.version < policy.data.version && (
                <div className="quiet">{t.older(policy.data.version)}</div>
              )}
            </dd>
            {signed.signedBy !== account && (
              <>
                <dt>{t.by}</dt>
                <dd>{signed.signedBy}</dd>
              </>
            )}
            <dt>{t.until}</dt>
            <dd>{signed.endsAt ? <Ends at={signed.endsAt} soonDays={30} /> : t.always}</dd>
          </dl>
        ) : (
          <Empty>{t.unsigned}</Empty>
        )}
      </Section>
      <Section title={t.text} act={<CopyCommand command="kumi policy show" />}>
        <PolicyText policy={policy.data} />
      </Section>
    </>
  )
}
