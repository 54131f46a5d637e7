import { Button, Group, Modal } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useId, useState } from 'react'
import { Mark, Time } from '../common/parts.tsx'
import { meQuery } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'

const DAY_MS = 86_400_000
/** From here on an end is worth a warning. */
const SOON_DAYS = 14

/** Whose account the screens show, and in which VO. */
export function useMe(): { account: string; vo: string } {
  const { data } = useQuery(meQuery)
  return { account: data?.account ?? '', vo: data?.vo ?? '' }
}

/** When something ends, how long that is from now, and a mark when it is soon. */
export function Ends({ at, soonDays = SOON_DAYS }: { at: string | null; soonDays?: number }) {
  const { ends } = useMessages().account
  if (at === null) return <span className="quiet">{ends.never}</span>
  const days = (Date.parse(at) - Date.now()) / DAY_MS
  const left = days <= 0 ? ends.over : days < 1 ? ends.today : ends.days(Math.floor(days))
  return (
    <>
      <Time at={at} />{' '}
      <span className="left">
        {days <= 0 ? (
          <Mark tone="down">{left}</Mark>
        ) : days < soonDays ? (
          <Mark tone="degraded">{left}</Mark>
        ) : (
          <span className="quiet">{left}</span>
        )}
      </span>
    </>
  )
}

/** A change of one's own affairs, after which everything about them is asked again. */
export function useChange<I, O = unknown>(change: (input: I) => Promise<O>) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => client.invalidateQueries({ queryKey: ['mine'] }),
  })
}

interface Asked {
  /** What the button says that opens the question, and the one that means it. */
  label: string
  title: string
  children: ReactNode
  onSure: () => Promise<unknown>
  /** Tells rows of a table apart for those who do not see them. */
  of?: string
  harmless?: boolean
}

/** A button that asks before it does what cannot be undone by a second press. */
export function Sure({ label, title, children, onSure, of, harmless = false }: Asked) {
  const t = useMessages()
  const [open, setOpen] = useState(false)
  const change = useChange(async (_: undefined) => onSure())
  const close = () => {
    setOpen(false)
    change.reset()
  }
  return (
    <>
      <Button
        size="compact-sm"
        variant="default"
        onClick={() => setOpen(true)}
        {...(of && { 'aria-label': `${label}: ${of}` })}
      >
        {label}
      </Button>
      <Modal
        opened={open}
        onClose={close}
        title={title}
        centered
        closeButtonProps={{ 'aria-label': t.account.cancel }}
      >
        <div className="question">{children}</div>
        {change.error && (
          <p className="error" role="alert">
            {change.error.message}
          </p>
        )}
        <Group justify="flex-end" gap="xs" mt="md">
          <Button variant="default" onClick={close} data-autofocus>
            {t.account.cancel}
          </Button>
          <Button
            {...(!harmless && { color: 'red' })}
            loading={change.isPending}
            onClick={() => change.mutate(undefined, { onSuccess: close })}
          >
            {label}
          </Button>
        </Group>
      </Modal>
    </>
  )
}

/** One part of a screen, with its name and a line that says what it is for. */
export function Section({
  title,
  hint,
  act,
  flush = false,
  children,
}: {
  title: string
  hint?: string
  act?: ReactNode
  flush?: boolean
  children: ReactNode
}) {
  const id = useId()
  return (
    <section aria-labelledby={id} className="part">
      <div className="head">
        <h2 id={id}>{title}</h2>
        {act && <div className="act">{act}</div>}
      </div>
      {flush && hint && <p className="quiet">{hint}</p>}
      <div className={flush ? 'panel flush' : 'panel'}>
        {!flush && hint && <p className="quiet">{hint}</p>}
        {children}
      </div>
    </section>
  )
}

/** This page again, over a connection that is secured; undefined where it is. */
export const securedAddress = (): string | undefined =>
  window.location.protocol === 'https:' ? undefined : window.location.href.replace(/^http:/, 'https:')
