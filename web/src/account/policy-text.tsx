import { utc } from '../common/format.ts'
import { Scroll } from '../common/parts.tsx'
import type { Policy } from '../doors/joining.ts'
import { useMessages } from '../language/index.tsx'

/** The usage policy: which one it is, its text, and where it stands if it is kept elsewhere. */
export function PolicyText({ policy }: { policy: Policy }) {
  const t = useMessages().joining.sign
  const version = t.version(policy.version, utc(policy.lastUpdateTime))
  return (
    <>
      <p className="quiet">
        {version} · {t.lasts(policy.signatureValidityInDays)}
      </p>
      {policy.description && <p>{policy.description}</p>}
      {policy.url && (
        <p>
          {t.elsewhere}{' '}
          <a href={policy.url} target="_blank" rel="noreferrer">
            {policy.url}
          </a>
        </p>
      )}
      {policy.text && (
        <div className="policy">
          <Scroll label={version}>{policy.text}</Scroll>
        </div>
      )}
    </>
  )
}
