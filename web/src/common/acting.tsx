import { Button, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useId, useState } from 'react'
import { type Me, meQuery } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'

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

const CHANGED = [
  'people',
  'groups',
  'requests',
  'clients',
  'policies',
  'audit',
  'me',
  'jobs',
  'software',
  'productions',
  'raw',
  'sites',
  'cards',
  'shifts',
  'now',
]

/** A change, after which everything it may have touched is asked again. */
export function useDo<T = void, R = unknown>(change: (input: T) => Promise<R>) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => Promise.all(CHANGED.map((key) => client.invalidateQueries({ queryKey: [key] }))),
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
