import { Link } from '@tanstack/react-router'
import { Mark, Time } from '../common/parts.tsx'
import type { Concern } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'

const URGENT: readonly Concern['problem'][] = ['no_whitelist', 'whitelist_ended']

/** What somebody who looks after a repository should know. */
export function SoftwareConcern({ item }: { item: Concern }) {
  const t = useMessages()
  const { repository, problem, gateway, at, reason } = item
  const urgent = URGENT.includes(problem)
  return (
    <li className={urgent ? '' : 'degraded-edge'}>
      <Mark tone={urgent ? 'down' : 'degraded'}>
        <Link
          to="/software/$name"
          params={{ name: repository }}
          search={{ view: problem === 'behind' ? 'use' : 'keys' }}
        >
          {t.software.concern[problem](gateway === null ? repository : `${repository} · ${gateway}`)}
        </Link>
      </Mark>
      {reason && <span className="error">{reason}</span>}
      {at && (
        <span className="quiet">
          <Time at={at} />
        </span>
      )}
    </li>
  )
}
