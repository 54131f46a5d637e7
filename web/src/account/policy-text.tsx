import type { Policy } from '../doors/joining.ts'
import { useMessages } from '../language/index.tsx'
import { utc } from '../shared/format.ts'

/** The usage policy: which one it is, its text, and where it stands if it is kept elsewhere. */
export function PolicyText({ policy }: { policy: Policy }) {
  const t = useMessages().joining.sign
  return (
    <>
      <p className="quiet">
        {t.version(policy.version, utc(policy.lastUpdateTime))} · {t.lasts(policy.signatureValidityInDays)}
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
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable without a mouse
        <section className="policy" tabIndex={0} aria-label={t.version(policy.version, utc(policy.lastUpdateTime))}>
          {policy.text}
        </section>
      )}
    </>
  )
}
