import { Link, Outlet } from '@tanstack/react-router'
import { useMessages } from '../language/index.tsx'

const TABS = [
  ['/account', 'profile'],
  ['/account/groups', 'groups'],
  ['/account/certificates', 'certificates'],
  ['/account/sessions', 'sessions'],
  ['/account/programs', 'programs'],
  ['/account/policy', 'policy'],
] as const

/** The screens about one's own account, one tab each. */
export function AccountLayout() {
  const t = useMessages()
  return (
    <>
      <h1>{t.account.title}</h1>
      <nav className="tabs" aria-label={t.account.title}>
        {TABS.map(([to, name]) => (
          <Link
            key={to}
            to={to}
            activeOptions={{ exact: true }}
            activeProps={{ 'data-on': true, 'aria-current': 'page' }}
          >
            {t.account.tabs[name]}
          </Link>
        ))}
      </nav>
      <Outlet />
    </>
  )
}
