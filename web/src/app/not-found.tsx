import { Link } from '@tanstack/react-router'
import { useMessages } from '../language/index.tsx'

export function NotFound() {
  const t = useMessages()
  return (
    <p>
      {t.app.notFound} <Link to="/">{t.screens.now}</Link>
    </p>
  )
}
