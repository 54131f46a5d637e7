import { badOption } from '../common-options.ts'

export interface EndOptions {
  readonly until?: string
  readonly hours?: string
}

/** When something that begins at a time ends; `what` needs one of the two options. */
export function endOf(startsAt: Date, { until, hours }: EndOptions, what: string): Date {
  if ((until === undefined) === (hours === undefined))
    throw badOption(`${what} needs its end: --until TIME or --hours N.`)
  if (until !== undefined) return timeOf('--until', until)
  const length = Number(hours)
  if (!(length > 0)) throw badOption(`--hours needs a number above 0, not "${hours}".`)
  return new Date(startsAt.getTime() + length * 3_600_000)
}

export function timeOf(option: string, text: string): Date {
  // A time without a zone would mean something else on every machine.
  if (!/T.*(Z|[+-]\d\d:?\d\d)$/.test(text) || Number.isNaN(Date.parse(text)))
    throw badOption(`${option} needs a time with its zone, like 2026-12-01T09:00+09:00, not "${text}".`)
  return new Date(text)
}
