import { invalidJdl } from './errors.ts'
import type { Jdl, JobItem } from './types.ts'

export interface Expansion {
  readonly items: readonly Omit<JobItem, 'inputs'>[]
  /** Whether there were any parameters. */
  readonly parametric: boolean
}

const MOST = 100_000

/**
 * The jobs of a parametric description. `Parameters` (its value is `%s`) and `Parameters.NAME` (`%(NAME)s`) are lists,
 * or counts of which start, step and factor make a row: p(i+1) = p(i)·factor + step. All have the same length.
 */
export function expandParameters(jdl: Jdl): Expansion {
  const rows = new Map<string, readonly string[]>()
  for (const [key, value] of jdl) {
    const parts = /^parameters(?:\.([a-z0-9_]+))?$/.exec(key)
    if (!parts) continue
    const name = parts[1] ?? ''
    rows.set(name, typeof value === 'string' ? generated(jdl, name, value) : value)
  }
  if (rows.size === 0) return { items: [{ n: 0, parameters: {} }], parametric: false }
  const lengths = new Set([...rows.values()].map((row) => row.length))
  if (lengths.size > 1) throw invalidJdl('All lists of parameters must have the same length.')
  const [length = 0] = lengths
  if (length === 0) throw invalidJdl('A list of parameters is empty.')
  if (length > MOST) throw invalidJdl(`A description makes at most ${MOST} jobs.`)
  const items = Array.from({ length }, (_, n) => ({
    n,
    parameters: Object.fromEntries([...rows].map(([name, row]) => [name, row[n]!])),
  }))
  return { items, parametric: true }
}

function generated(jdl: Jdl, name: string, count: string): string[] {
  const length = countOf(count, 'Parameters')!
  if (length > MOST) throw invalidJdl(`A description makes at most ${MOST} jobs.`)
  const of = (what: string, otherwise: number): number => {
    const value = (name && jdl.get(`parameter${what}.${name}`)) || jdl.get(`parameter${what}`)
    if (value === undefined || value === '') return otherwise
    const number = Number(value)
    if (!Number.isFinite(number)) throw invalidJdl(`Parameter${what} must be a number.`)
    return number
  }
  const [start, step, factor] = [of('start', 0), of('step', 1), of('factor', 1)]
  const row: string[] = []
  for (let value = start; row.length < length; value = value * factor + step) row.push(String(value))
  return row
}

/** A whole number of zero or more; undefined stays undefined. Throws invalid_jdl. */
export function countOf(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,12}$/.test(text))
    throw invalidJdl(`${name} must be a whole number, not "${text.slice(0, 40)}".`)
  return Number(text)
}
