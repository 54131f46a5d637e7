import { wireError } from './errors.ts'

const FORM =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ](\d{2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?)?)?)?(?:Z|\+00:00)?$/

/**
 * A time of any precision from a year to microseconds is the half-open period that it names: `2024` is the year,
 * `2024-05-01 13` that hour.
 */
export function periodOf(text: string): readonly [Date, Date] {
  const parts = FORM.exec(text.trim())
  if (!parts) throw wireError(400, `"${text}" is no time: write 2024, 2024-05 … 2024-05-01T12:30:00.`)
  const given = parts.slice(1, 7).map((part) => (part === undefined ? undefined : Number(part)))
  const fraction = parts[7]
  const [year, month = 1, day = 1, hour = 0, minute = 0, second = 0] = given as number[]
  // The database counts milliseconds here: a finer moment belongs to its millisecond.
  const ms = fraction === undefined ? 0 : Math.floor(Number(`0.${fraction}`) * 1000)
  const from = new Date(Date.UTC(year!, month - 1, day, hour, minute, second, ms))
  const precision = fraction === undefined ? given.filter((part) => part !== undefined).length : 7
  const add = (unit: number): number => (precision === unit ? 1 : 0)
  const to = new Date(
    Date.UTC(
      year! + add(1),
      month - 1 + add(2),
      day + add(3),
      hour + add(4),
      minute + add(5),
      second + add(6),
      ms + add(7),
    ),
  )
  if (Number.isNaN(from.getTime()) || from.getUTCMonth() !== month - 1 || from.getUTCDate() !== day)
    throw wireError(400, `"${text}" is no day of the calendar.`)
  return [from, to]
}

/** How precisely a time was written: its length without zone. */
export const precisionOf = (text: string): number => {
  const length = text.trim().replace(/(Z|\+00:00)$/, '').length
  return length > 19 ? 20 : length
}
