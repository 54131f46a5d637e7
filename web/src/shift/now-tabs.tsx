import { Link } from '@tanstack/react-router'
import { useMessages } from '../language/index.tsx'

/** The present, and those who watch it. */
export function NowTabs({ on }: { on: 'now' | 'shift' }) {
  const t = useMessages()
  return (
    <nav className="tabs" aria-label={t.screens.now}>
      <Link to="/" data-on={on === 'now'} aria-current={on === 'now' ? 'page' : undefined}>
        {t.screens.now}
      </Link>
      <Link to="/shift" data-on={on === 'shift'} aria-current={on === 'shift' ? 'page' : undefined}>
        {t.shift.title}
      </Link>
    </nav>
  )
}
