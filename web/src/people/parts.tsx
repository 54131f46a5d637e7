import './people.css'
import { Button, Textarea, TextInput } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useRights } from '../common/acting.tsx'
import { CopyCommand, Mark } from '../common/parts.tsx'
import { useMessages } from '../language/index.tsx'
import { PeopleTabs } from './people-tabs.tsx'

export { Asking, ChangeForm, Failure, Panel, type Rights, Step, useDo, useRights } from '../common/acting.tsx'

/** The frame of each screen: title, the same as a command, tabs; who may not look reads why. */
export function PeoplePage({
  title,
  command,
  allowed,
  children,
}: {
  title?: string
  command?: string
  allowed: boolean
  children: ReactNode
}) {
  const t = useMessages()
  return (
    <>
      <div className="head">
        <h1>{title ?? t.people.title}</h1>
        {command && (
          <div className="act">
            <CopyCommand command={command} />
          </div>
        )}
      </div>
      <PeopleTabs />
      {allowed ? children : <NotYours />}
    </>
  )
}

export function NotYours() {
  const t = useMessages()
  const { me } = useRights()
  return (
    <div className="panel">
      <p className="empty">
        {t.people.notYours(me.account ?? '')} <Link to="/people/access">{t.people.tabs.access}</Link>
      </p>
    </div>
  )
}

/** The last moment of a day in UTC, which is what the field for a day means. */
export const endOfDay = (day: string | undefined): string | null => (day ? `${day}T23:59:59Z` : null)
export const dayOf = (time: string | null | undefined): string => (time ? time.slice(0, 10) : '')

export function Day({
  name,
  label,
  value,
  hint,
}: {
  name: string
  label: string
  value?: string
  hint?: string
}) {
  const t = useMessages()
  return (
    <TextInput
      type="date"
      name={name}
      label={label}
      description={hint ?? t.people.dayHint}
      defaultValue={value ?? ''}
      max="9999-12-31"
    />
  )
}

export function LongText({
  name,
  label,
  value,
  rows = 6,
}: {
  name: string
  label: string
  value?: string
  rows?: number
}) {
  return (
    <Textarea name={name} label={label} defaultValue={value ?? ''} autosize minRows={rows} maxRows={30} />
  )
}

/** Which part of a long list is shown. */
export function Pages({
  total,
  start,
  size,
  go,
}: {
  total: number
  /** Number of the first line, from 1. */
  start: number
  size: number
  go: (start: number) => void
}) {
  const t = useMessages()
  if (total <= size) return <p className="pages quiet">{t.people.all(total)}</p>
  const end = Math.min(start + size - 1, total)
  return (
    <nav className="pages" aria-label={t.people.pages}>
      <Button size="xs" variant="default" disabled={start <= 1} onClick={() => go(Math.max(1, start - size))}>
        {t.people.previous}
      </Button>
      <span className="quiet" aria-live="polite">
        {t.people.part(start, end, total)}
      </span>
      <Button size="xs" variant="default" disabled={end >= total} onClick={() => go(start + size)}>
        {t.people.next}
      </Button>
    </nav>
  )
}

export const STANDING_TONES = {
  good: 'ok',
  suspended: 'down',
  expired: 'down',
  unsigned: 'degraded',
  pending: 'moving',
} as const
export function StandingMark({ state }: { state: keyof typeof STANDING_TONES }) {
  const t = useMessages()
  return <Mark tone={STANDING_TONES[state]}>{t.people.standing[state]}</Mark>
}
