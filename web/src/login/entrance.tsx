import type { ReactNode } from 'react'
import { Braid } from '../common/braid.tsx'

/** The frame of the pages in front of the console: login, consent, device. */
export function Entrance({ children, wide = false }: { children: ReactNode; wide?: boolean }) {
  return (
    <div className={wide ? 'login wide' : 'login'}>
      <div className="brand">
        <Braid size={36} /> Kumihimo
      </div>
      <div className="panel">{children}</div>
    </div>
  )
}
