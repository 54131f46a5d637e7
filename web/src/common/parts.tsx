import { Button } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import type { RuleState, SiteState } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'
import { bytes, count, utc } from './format.ts'

export type Tone = SiteState | 'moving'
const SHAPES: Record<Tone, ReactNode> = {
  ok: <circle r="5" />,
  degraded: <path d="M0-6 6 5H-6Z" />,
  down: <rect x="-5" y="-5" width="10" height="10" />,
  unknown: <path d="M0-6 6 0 0 6-6 0Z" />,
  moving: <path d="M-5-5 5 0-5 5Z" />,
}

/** The shape of a state, for use inside an SVG. */
export const shapeOf = (tone: Tone) => SHAPES[tone]

/** A state as colour, shape and word together. */
export function Mark({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={`mark ${tone}`}>
      <svg width="12" height="12" viewBox="-6.500 -6.500 13 13" fill="currentColor" aria-hidden="true">
        {SHAPES[tone]}
      </svg>
      {children}
    </span>
  )
}

const RULE_TONES: Record<RuleState, Tone> = {
  OK: 'ok',
  REPLICATING: 'moving',
  INJECT: 'moving',
  STUCK: 'down',
  SUSPENDED: 'unknown',
}
export function RuleMark({ state }: { state: RuleState }) {
  const t = useMessages()
  return <Mark tone={RULE_TONES[state]}>{t.rules.state[state]}</Mark>
}

/** Made once: a formatter for each time of a long table takes longer than the table. */
const readersTime = new Intl.DateTimeFormat(undefined, {
  ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
  ...{ hour: 'numeric', minute: 'numeric', second: 'numeric', timeZoneName: 'short' },
})

/** UTC, with the reader's own time on hover; `day`: only the date is written. */
export function Time({ at, day = false }: { at: string; day?: boolean }) {
  const local = new Date(at)
  return (
    <time dateTime={at} title={Number.isNaN(local.getTime()) ? at : readersTime.format(local)}>
      {day ? utc(at).slice(0, 10) : utc(at)}
    </time>
  )
}

export const Empty = ({ children }: { children: ReactNode }) => <p className="empty">{children}</p>

interface Asked {
  isPending: boolean
  error: Error | null
  refetch: () => unknown
}
/** What a question that is not answered (yet) shows in place of its answer. */
export function Pending({ of }: { of: Asked }) {
  const t = useMessages()
  if (of.error) {
    return (
      <div className="empty" role="alert">
        {t.app.failed} <span className="error">{of.error.message}</span>{' '}
        <Button size="compact-sm" variant="default" onClick={() => void of.refetch()}>
          {t.app.retry}
        </Button>
      </div>
    )
  }
  return of.isPending ? <Empty>{t.app.loading}</Empty> : null
}

/** Copies a command, or with `label` another text. */
export function CopyCommand({ command, label }: { command: string; label?: string }) {
  const t = useMessages()
  const [done, setDone] = useState(false)
  const copy = async () => {
    await navigator.clipboard.writeText(command)
    setDone(true)
    window.setTimeout(() => setDone(false), 2000)
  }
  return (
    <Button
      variant="default"
      size="xs"
      title={label ?? command}
      onClick={() => void copy()}
      aria-live="polite"
    >
      {done ? t.app.copied : (label ?? t.app.copyCommand)}
    </Button>
  )
}

/** The first of a long list, and a button that shows the rest. */
export function useFirst<T>(all: readonly T[], most: number): { shown: readonly T[]; rest: ReactNode } {
  const t = useMessages()
  const [open, setOpen] = useState(false)
  if (open || all.length <= most) return { shown: all, rest: null }
  const rest = (
    <p className="empty">
      <Button variant="default" size="xs" onClick={() => setOpen(true)}>
        {t.app.rest(all.length - most)}
      </Button>
    </p>
  )
  return { shown: all.slice(0, most), rest }
}

/** What few want to see: made when it is opened. */
export function Fold({ summary, children }: { summary: ReactNode; children: () => ReactNode }) {
  const [open, setOpen] = useState(false)
  return (
    <details className="more" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{summary}</summary>
      {open && children()}
    </details>
  )
}

/** The end of a list that goes on. */
export function More({ onMore }: { onMore: () => void }) {
  const t = useMessages()
  return (
    <p className="empty">
      <Button variant="default" size="xs" onClick={onMore}>
        {t.data.more}
      </Button>
    </p>
  )
}

/** How far the copies are: there, moving, failed, still to come. */
export function Strip({
  files,
  missing,
  moving,
  failed,
}: {
  files: number
  missing: number
  moving: number
  failed: number
}) {
  const t = useMessages()
  const there = Math.max(files - missing - moving - failed, 0)
  const width = (part: number) => ({ width: `${files > 0 ? (100 * part) / files : 0}%` })
  const label = t.rules.progress(count(there), count(files))
  return (
    <div>
      <div className="strip" role="img" aria-label={label}>
        <i className="s-ok" style={width(there)} />
        <i className="s-moving" style={width(moving)} />
        <i className="s-failed" style={width(failed)} />
      </div>
      <span className="quiet">{label}</span>
    </div>
  )
}

export function Fill({ used, total }: { used: number; total: number }) {
  const t = useMessages()
  if (total <= 0) return <span className="quiet">{bytes(used)}</span>
  return (
    <>
      <div className="strip" aria-hidden="true">
        <i
          className={used / total > 0.95 ? 's-failed' : 's-moving'}
          style={{ width: `${(100 * used) / total}%` }}
        />
      </div>
      <span className="quiet">
        {bytes(used)} / {bytes(total)} {t.now.used}
      </span>
    </>
  )
}

/** A table that may be wider than the window; the keyboard can scroll it too. */
export function Scroll({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable without a mouse
    <section className="scroll" aria-label={label} tabIndex={0}>
      {children}
    </section>
  )
}
