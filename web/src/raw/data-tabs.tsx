import { Link } from '@tanstack/react-router'
import { useRights } from '../common/acting.tsx'
import { useMessages } from '../language/index.tsx'

/** The screens about data, one tab each, for those who may see raw data. */
export function DataTabs({ on }: { on: 'search' | 'raw' }) {
  const t = useMessages()
  const { may } = useRights()
  if (!may('raw.read')) return null
  return (
    <nav className="tabs" aria-label={t.screens.data}>
      <Link
        to="/data"
        search={{}}
        data-on={on === 'search'}
        aria-current={on === 'search' ? 'page' : undefined}
      >
        {t.data.search}
      </Link>
      <Link to="/raw" search={{}} data-on={on === 'raw'} aria-current={on === 'raw' ? 'page' : undefined}>
        {t.raw.title}
      </Link>
    </nav>
  )
}
