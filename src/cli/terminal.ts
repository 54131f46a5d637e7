export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | number | null | undefined
  readonly right?: boolean
}

/** A table for people: aligned columns, no lines, nothing when there are no rows. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  if (rows.length === 0) return ''
  const cells = rows.map((row) => columns.map((column) => printable(String(column.value(row) ?? '-'))))
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...cells.map((line) => width(line[i]!))),
  )
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => {
        const gap = ' '.repeat(Math.max(0, widths[i]! - width(text)))
        return columns[i]!.right ? gap + text : text + gap
      })
      .join('  ')
      .trimEnd()
  return [line(columns.map((column) => column.title)), ...cells.map(line)].join('\n')
}

/** Cells of the terminal: letters of Chinese, Japanese and Korean and full-width forms take two. */
function width(text: string): number {
  let cells = 0
  for (const letter of text.normalize('NFC')) {
    cells +=
      /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u.test(
        letter,
      )
        ? 2
        : 1
  }
  return cells
}

/** Control characters in a name must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB']

/** Bytes as a person reads them, in powers of 1000. */
export function bytesText(bytes: number | bigint | null | undefined): string {
  if (bytes === null || bytes === undefined) return '-'
  let value = Number(bytes)
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toPrecision(3)} ${UNITS[unit]}`
}

/** Seconds with one decimal, such as 2.3 s. */
export function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

/** A time span such as 45 s, 3 min, 2 h 10 min. */
export function spanText(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?'
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 90) return `${whole} s`
  if (whole < 5400) return `${Math.round(whole / 60)} min`
  const minutes = Math.round(whole / 60)
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
