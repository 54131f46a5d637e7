import { Link } from '@tanstack/react-router'
import { useMessages } from '../language/index.tsx'

const TABS = [['/people/access', 'access']] as const

/** The screens about people, one tab each. */
export function PeopleTabs() {
  const t = useMessages()
  return (
    <nav className="tabs" aria-label={t.people.title}>
      {TABS.map(([to, name]) => (
        <Link key={to} to={to} activeProps={{ 'data-on': true, 'aria-current': 'page' }}>
          {t.people.tabs[name]}
        </Link>
      ))}
    </nav>
  )
}
