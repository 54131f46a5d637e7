import { createHash } from 'node:crypto'
import { defineError } from '../../kernel/errors.ts'

const badName = defineError('invalid', 'bad_name')

export interface Did {
  readonly scope: string
  readonly name: string
}

/** `scope:name` as typed by people. */
export function parseDid(text: string): Did {
  const colon = text.indexOf(':')
  if (colon <= 0 || colon === text.length - 1)
    throw badName(`"${text}" is not a name; names have the form scope:name.`)
  return { scope: text.slice(0, colon), name: text.slice(colon + 1) }
}

export function didText({ scope, name }: Did): string {
  return `${scope}:${name}`
}

/** The part of a URL path that names one thing. */
export function didPath({ scope, name }: Did): string {
  return `${encodeURIComponent(scope)}/${encodeURIComponent(name)}`
}

/** Where a deterministic storage keeps a file, below its prefix. */
export function deterministicPath({ scope, name }: Did): string {
  const sum = createHash('md5').update(`${scope}:${name}`).digest('hex')
  const folder = /^(user|group)/.test(scope) ? scope.replaceAll('.', '/') : scope
  return [...folder.split('/'), sum.slice(0, 2), sum.slice(2, 4), ...name.split('/')]
    .map(encodeURIComponent)
    .join('/')
}

/** `key=value` pairs; whole and decimal numbers, true and false become what they look like. */
export function parseMetadata(pairs: readonly string[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=')
      if (equals <= 0) throw badName(`"${pair}" is not metadata; it has the form key=value.`)
      return [pair.slice(0, equals), plainValue(pair.slice(equals + 1))]
    }),
  )
}

export function plainValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  const canonical =
    /^-?(0|[1-9]\d*)(\.\d*[1-9])?$/.test(text) && Number.isSafeInteger(Math.trunc(Number(text)))
  return canonical ? Number(text) : text
}

const operators: Readonly<Record<string, string>> = {
  '=': '',
  '>=': '.gte',
  '<=': '.lte',
  '>': '.gt',
  '<': '.lt',
  '!=': '.ne',
}

/** Conditions such as `run_number>=100`, all to be met, as the filter of a search. */
export function parseConditions(conditions: readonly string[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    conditions.map((condition) => {
      const parts = /^([A-Za-z_][\w.]*)\s*(>=|<=|!=|=|>|<)\s*(.+)$/.exec(condition)
      if (!parts)
        throw badName(`"${condition}" is not a condition; write for example run_number>=100 or datatype=raw.`)
      return [parts[1]! + operators[parts[2]!]!, plainValue(parts[3]!)]
    }),
  )
}
