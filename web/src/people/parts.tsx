import './people.css'
import { Button, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, type ReactNode, useId, useState } from 'react'
import { type Me, meQuery } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'
import { CopyCommand, Mark } from '../shared/parts.tsx'
import { PeopleTabs } from './people-tabs.tsx'

/** Who is in front of the screen and what they may do; the server decides again at every step. */
export interface Rights {
  readonly me: Me
  readonly vo: string
  may(action: string): boolean
  manages(path: string): boolean
}

export function useRights(): Rights {
  const { data } = useQuery(meQuery)
  const me = data ?? { account: null, vo: '', admin: false, may: [], manages: [] }
  return {
    me,
    vo: me.vo,
    may: (action) => me.may.includes(action),
    manages: (path) => me.manages.includes(path),
  }
}

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

/** A change, after which everything on these screens is asked again. */
export function useDo<T = void, R = unknown>(change: (input: T) => Promise<R>) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () =>
      Promise.all(
        ['people', 'groups', 'requests', 'clients', 'policies', 'audit', 'me'].map((key) =>
          client.invalidateQueries({ queryKey: [key] }),
        ),
      ),
  })
}

export const Failure = ({ error }: { error: Error | null }) =>
  error && (
    <p className="error" role="alert">
      {error.message}
    </p>
  )

/** A step that is asked about first; with `reason`, in words that the person reads. */
export function Asking({
  label,
  question,
  reason,
  danger = true,
  run,
}: {
  label: string
  question: string
  /** What the field for the reason is called; none when absent. */
  reason?: string
  danger?: boolean
  run: (reason: string) => Promise<unknown>
}) {
  const t = useMessages()
  const [open, setOpen] = useState(false)
  const act = useDo(run)
  const id = useId()
  if (!open) {
    return (
      <Button size="xs" variant="default" onClick={() => setOpen(true)}>
        {label}
      </Button>
    )
  }
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    act.mutate(String(new FormData(event.currentTarget).get('reason') ?? '').trim(), {
      onSuccess: () => setOpen(false),
    })
  }
  return (
    <form
      className="asking"
      role="alertdialog"
      aria-labelledby={id}
      onSubmit={submit}
      onKeyDown={(event) => event.key === 'Escape' && setOpen(false)}
    >
      <span id={id}>{question}</span>
      {reason && <TextInput name="reason" label={reason} required maxLength={1000} autoFocus />}
      <span className="answers">
        <Button
          size="xs"
          type="submit"
          loading={act.isPending}
          autoFocus={!reason}
          {...(danger && { color: 'red.9' })}
        >
          {label}
        </Button>
        <Button size="xs" variant="default" onClick={() => setOpen(false)}>
          {t.people.leave}
        </Button>
      </span>
      <Failure error={act.error} />
    </form>
  )
}

/** A step that needs no question. */
export function Step({ label, run }: { label: string; run: () => Promise<unknown> }) {
  const act = useDo(run)
  return (
    <>
      <Button size="xs" variant="default" loading={act.isPending} onClick={() => act.mutate()}>
        {label}
      </Button>
      <Failure error={act.error} />
    </>
  )
}

type Values = Readonly<Record<string, string>>
/** A form whose fields are read by name; it is emptied when the change is done. */
export function ChangeForm({
  label,
  submit,
  run,
  children,
  plain = false,
}: {
  label: string
  submit: string
  run: (values: Values) => Promise<unknown>
  children: ReactNode
  /** Fields below each other, for forms that are a page of their own. */
  plain?: boolean
}) {
  const act = useDo(run)
  const [round, setRound] = useState(0)
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const values = Object.fromEntries([...form.keys()].map((key) => [key, String(form.get(key)).trim()]))
    act.mutate(values, { onSuccess: () => setRound(round + 1) })
  }
  return (
    <form key={round} className={plain ? 'stack' : 'form'} aria-label={label} onSubmit={send}>
      {children}
      <div className={plain ? '' : 'send'}>
        <Button type="submit" loading={act.isPending}>
          {submit}
        </Button>
      </div>
      <Failure error={act.error} />
    </form>
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

/** A part of a screen with its title. */
export function Panel({
  title,
  flush = false,
  children,
}: {
  title: string
  flush?: boolean
  children: ReactNode
}) {
  return (
    <section className={flush ? 'panel flush' : 'panel'} aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  )
}
