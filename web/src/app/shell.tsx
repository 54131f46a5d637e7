import { useMantineColorScheme } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { useEffect } from 'react'
import { Braid } from '../common/braid.tsx'
import { DoorError } from '../doors/http.ts'
import { gridQuery, logout, meQuery } from '../doors/kumi.ts'
import { useLive } from '../doors/live.ts'
import { useLanguage } from '../language/index.tsx'

const SCREENS = [
  ['/', 'now'],
  ['/data', 'data'],
  ['/rules', 'rules'],
  ['/transfers', 'transfers'],
  ['/productions', 'productions'],
  ['/jobs', 'jobs'],
  ['/sites', 'sites'],
  ['/software', 'software'],
  ['/people', 'people'],
] as const

/** Screens that are parts of another. */
const BELOW = [
  ['/raw', '/data'],
  ['/shift', '/'],
  ['/cards', '/'],
] as const

/** Those who look after people have something to see there. */
const MANAGING = ['identity.people.read', 'identity.approve', 'identity.write', 'identity.audit.read']

/** The pages in front of the console, for people who may not be logged in yet. */
const ENTRANCES = [
  '/login',
  '/authorize',
  '/device',
  '/register',
  '/confirm',
  '/sign',
  '/forgot',
  '/new-password',
]

export function Shell() {
  const { t, language, choose } = useLanguage()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const client = useQueryClient()
  const navigate = useNavigate()
  // The page that is shown, not the one being loaded: a login page drawn again would use its link twice.
  const path = useRouterState({ select: (state) => (state.resolvedLocation ?? state.location).pathname })
  const atLogin = ENTRANCES.includes(path)
  const grid = useQuery(gridQuery)
  const me = useQuery({ ...meQuery, enabled: !atLogin })
  const manages =
    me.data !== undefined &&
    (me.data.manages.length > 0 || MANAGING.some((action) => me.data.may.includes(action)))
  const connected = useLive(!atLogin && me.isSuccess)

  // Whoever has to log in, or to sign the usage policy, goes on to where they wanted to be.
  const here = useRouterState({ select: (state) => (state.resolvedLocation ?? state.location).href })
  const next = here === '/' ? {} : { next: here }
  useEffect(() => {
    if (!me.error || atLogin) return
    const unsigned = me.error instanceof DoorError && me.error.status === 403
    void navigate({ to: unsigned ? '/sign' : '/login', search: next, replace: true })
  })
  useEffect(() => {
    const out = () => {
      if (atLogin) return
      client.clear()
      void navigate({ to: '/login', search: next })
    }
    window.addEventListener('kumi:logged-out', out)
    return () => window.removeEventListener('kumi:logged-out', out)
  })
  useEffect(() => {
    const shown = BELOW.find(([part]) => path.startsWith(part))?.[1] ?? path
    const screen = SCREENS.findLast(([to]) => shown === to || (to !== '/' && shown.startsWith(to)))
    const entrances: Record<string, string> = {
      '/device': t.device.title,
      '/register': t.joining.link,
      '/confirm': t.joining.confirm.title,
      '/sign': t.account.tabs.policy,
      '/forgot': t.password.forgotten.title,
      '/new-password': t.password.reset.title,
    }
    const other = path.startsWith('/account') ? t.account.title : (entrances[path] ?? t.login.title)
    document.title = `${screen ? t.screens[screen[1]] : other} · Kumihimo`
  }, [path, t])

  const leave = async () => {
    await logout(me.data?.vo ?? grid.data?.vo ?? '').catch(() => undefined)
    client.clear()
    await navigate({ to: '/login', search: {} })
  }
  const dark =
    colorScheme === 'dark' || (colorScheme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches)
  return (
    <>
      {/* biome-ignore lint/a11y/useValidAnchor: the address behind # belongs to the screens */}
      <a
        className="skip"
        href="#content"
        onClick={(event) => {
          event.preventDefault()
          document.getElementById('content')?.focus()
        }}
      >
        {t.app.skip}
      </a>
      <header className="bar">
        <Link to="/" className="brand">
          <Braid /> Kumihimo
        </Link>
        {!atLogin && (
          <nav aria-label={t.app.navigation}>
            {SCREENS.filter(([to]) => to !== '/people' || manages).map(([to, name]) => (
              <Link
                key={to}
                to={to}
                activeOptions={{ exact: to === '/', includeSearch: false }}
                data-on={BELOW.some(([part, screen]) => to === screen && path.startsWith(part))}
              >
                {t.screens[name]}
              </Link>
            ))}
          </nav>
        )}
        <div className="tools">
          {!atLogin && (
            <span className="live" data-on={connected}>
              {connected ? t.app.live : t.app.offline}
            </span>
          )}
          {me.data && !atLogin && (
            <Link to="/account" className="me" title={t.account.title}>
              {me.data.account}
              <span className="hide-narrow"> · {me.data.vo}</span>
            </Link>
          )}
          <button
            type="button"
            lang={language === 'en' ? 'ja' : 'en'}
            aria-label={`${t.app.language}: ${language === 'en' ? '日本語' : 'English'}`}
            onClick={() => choose(language === 'en' ? 'ja' : 'en')}
          >
            {language === 'en' ? '日本語' : 'English'}
          </button>
          <button
            type="button"
            aria-label={t.app.theme}
            title={t.app.theme}
            onClick={() => setColorScheme(dark ? 'light' : 'dark')}
          >
            <svg className="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
              <circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" strokeWidth="1.500" />
              <path d="M8 1.800a6.2 6.2 0 0 1 0 12.400Z" fill="currentColor" />
            </svg>
          </button>
          {me.data && !atLogin && (
            <button type="button" onClick={() => void leave()}>
              {t.app.logout}
            </button>
          )}
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        {(atLogin || me.isSuccess) && <Outlet />}
      </main>
    </>
  )
}
