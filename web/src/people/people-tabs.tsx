import { Link } from '@tanstack/react-router'
import { useRights } from '../common/acting.tsx'
import { useMessages } from '../language/index.tsx'

/** Each screen, and the action that opens it; `null`: everybody who sees groups may look. */
const TABS = [
  ['/people/requests', 'requests', 'identity.approve'],
  ['/people/members', 'members', 'identity.people.read'],
  ['/people/groups', 'groups', null],
  ['/people/clients', 'clients', 'identity.write'],
  ['/people/policies', 'policies', 'identity.people.read'],
  ['/people/audit', 'audit', 'identity.audit.read'],
  ['/people/access', 'access', null],
] as const

/** The screens about people, one tab each. */
export function PeopleTabs() {
  const t = useMessages()
  const { may, me } = useRights()
  const shown = TABS.filter(
    ([, name, action]) => action === null || may(action) || (name === 'requests' && me.manages.length > 0),
  )
  return (
    <nav className="tabs" aria-label={t.people.title}>
      {shown.map(([to, name]) => (
        <Link
          key={to}
          to={to}
          search={{}}
          activeOptions={{ includeSearch: false }}
          activeProps={{ 'data-on': true, 'aria-current': 'page' }}
        >
          {t.people.tabs[name]}
        </Link>
      ))}
    </nav>
  )
}
