const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB']

/** Decimal units with three significant digits. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  let unit = 0
  let rest = value
  while (rest >= 999.5 && unit < UNITS.length - 1) {
    rest /= 1000
    unit++
  }
  return `${unit === 0 ? rest : rest.toPrecision(3)} ${UNITS[unit]}`
}

export const rate = (bytesPerSecond: number): string => `${bytes(bytesPerSecond)}/s`
export const count = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : value.toLocaleString('en')
export const percent = (share: number): string =>
  `${share > 0.99 && share < 1 ? '99' : Math.round(share * 100)} %`

const wide = (value: number) => String(value).padStart(2, '0')
/** ISO-like UTC time without seconds' fractions. */
export function utc(text: string): string {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) return text
  return `${time.getUTCFullYear()}-${wide(time.getUTCMonth() + 1)}-${wide(time.getUTCDate())} ${wide(time.getUTCHours())}:${wide(time.getUTCMinutes())}:${wide(time.getUTCSeconds())} UTC`
}

/** A sentence with its times as they are shown elsewhere. */
export const timesIn = (sentence: string): string => sentence.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, utc)

/** A length of time in its two greatest units. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  const [days, hours, minutes] = [whole / 86_400, (whole / 3600) % 24, (whole / 60) % 60].map(Math.floor)
  if (days! > 0) return `${days} d ${hours} h`
  if (hours! > 0) return `${hours} h ${minutes} min`
  return `${minutes} min ${whole % 60} s`
}
