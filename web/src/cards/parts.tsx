import './cards.css'
import { Mark, type Tone } from '../common/parts.tsx'
import type { Card, CardState, Entity, Severity } from '../doors/operations.ts'
import type { Messages } from '../language/en.ts'
import { useMessages } from '../language/index.tsx'

const SEVERITY_TONES = {
  info: 'unknown',
  warn: 'degraded',
  error: 'down',
  critical: 'down',
} as const satisfies Record<Severity, Tone>
export function SeverityMark({ severity }: { severity: Severity }) {
  const t = useMessages()
  return <Mark tone={SEVERITY_TONES[severity]}>{t.cards.severity[severity]}</Mark>
}

const STATE_TONES = {
  NEW: 'down',
  ACK: 'degraded',
  WORKING: 'moving',
  DOWNTIME: 'unknown',
  RETIRED: 'unknown',
  CLOSED: 'ok',
} as const satisfies Record<CardState, Tone>
export function CardMark({ state }: { state: CardState }) {
  const t = useMessages()
  return <Mark tone={STATE_TONES[state]}>{t.cards.state[state]}</Mark>
}

export function entityWords({ kind, name }: Entity, t: Messages): string {
  const kinds: Readonly<Record<string, string>> = t.cards.entity
  return kind === 'central' ? name : `${kinds[kind] ?? kind} ${name}`
}

/** What a rule of the detector found, in the reader's language; what is not known is said as the server says it. */
export function codeWords(code: string, t: Messages): string {
  const codes: Readonly<Record<string, string>> = t.cards.code
  const [, start = '', rest = ''] = /^(stuck in|downtime:) (.+)$/.exec(code) ?? []
  const known = codes[start]
  return known ? `${known} ${rest}` : (codes[code] ?? code)
}

/** A card in one line. */
export function titleOf({ entity, cause, findings, entities }: Card, t: Messages): string {
  if (!entity) return t.cards.together(entities.length)
  const what = entityWords(entity, t)
  if (cause) return t.cards.caused(what, cause.failed, cause.n, cause.of, cause.sites.length)
  const codes = [...new Set(findings.map(({ code }) => codeWords(code, t)))]
  return `${what}: ${codes.slice(0, 2).join(t.cards.comma)}${codes.length > 2 ? t.cards.more(codes.length - 2) : ''}`
}
