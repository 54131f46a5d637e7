import { defineError } from './errors.ts'

const invalidConfig = defineError('invalid', 'invalid_config')

export type Setting =
  | {
      readonly type: 'string'
      readonly env: string
      readonly help: string
      readonly default?: string
      readonly secret?: true
    }
  | {
      readonly type: 'integer'
      readonly env: string
      readonly help: string
      readonly default?: number
      readonly min?: number
      readonly max?: number
    }
  /** One number for all and others by name, as text: `1, belle=2`. */
  | {
      readonly type: 'integerByName'
      readonly env: string
      readonly help: string
      readonly default: string
      readonly min?: number
      readonly max?: number
    }
  | { readonly type: 'boolean'; readonly env: string; readonly help: string; readonly default?: boolean }

type IntegerByName = (name: string) => number
type Value = string | number | boolean | IntegerByName

export type Settings = Readonly<Record<string, Setting>>

type Plain<S extends Setting> = S['type'] extends 'integer'
  ? number
  : S['type'] extends 'boolean'
    ? boolean
    : S['type'] extends 'integerByName'
      ? IntegerByName
      : string
type Required_<S extends Setting> = S extends { default: string | number | boolean } ? true : false
export type Config<S extends Settings> = {
  readonly [K in keyof S]: Required_<S[K]> extends true ? Plain<S[K]> : Plain<S[K]> | undefined
}

/**
 * Reads settings from (in order of precedence) explicit values, environment and defaults. Every wrong or unknown
 * value is reported at once, by its name.
 */
export function readConfig<const S extends Settings>(
  settings: S,
  environment: Readonly<Record<string, string | undefined>>,
  explicit: Readonly<Record<string, string | number | boolean | undefined>> = {},
): Config<S> {
  const problems: string[] = []
  for (const key of Object.keys(explicit)) if (!(key in settings)) problems.push(`unknown setting ${key}`)
  const values = Object.entries(settings).map(([key, setting]) => {
    const set = explicit[key] ?? environment[setting.env]
    const given = set === '' ? undefined : set
    if (given === undefined && setting.type !== 'integerByName') return [key, setting.default]
    const value = parse(setting, given ?? setting.default!)
    if (value === undefined) problems.push(`${key} (${setting.env}): ${expectation(setting)}, got "${given}"`)
    return [key, value]
  })
  if (problems.length > 0) throw invalidConfig(`Configuration: ${problems.join('; ')}.`)
  return Object.fromEntries(values) as Config<S>
}

function parse(setting: Setting, given: string | number | boolean): Value | undefined {
  if (setting.type === 'string') return String(given)
  if (setting.type === 'boolean') return { true: true, '1': true, false: false, '0': false }[String(given)]
  return setting.type === 'integer' ? integer(setting, given) : integersByName(setting, String(given))
}

interface Range {
  readonly min?: number
  readonly max?: number
}

function integer({ min = -Infinity, max = Infinity }: Range, given: unknown): number | undefined {
  const value = Number(given)
  return Number.isInteger(value) && value >= min && value <= max ? value : undefined
}

function integersByName(range: Range, given: string): IntegerByName | undefined {
  const named = new Map<string, number>()
  for (const part of given.split(',')) {
    const [, name = '', digits] = /^(?:\s*([^=]*?)\s*=)?\s*(-?\d+)\s*$/.exec(part) ?? []
    const value = digits === undefined ? undefined : integer(range, digits)
    if (value === undefined || named.has(name)) return undefined
    named.set(name, value)
  }
  const usual = named.get('')
  return usual === undefined ? undefined : (name) => named.get(name) ?? usual
}

function expectation(setting: Setting): string {
  if (setting.type === 'boolean') return 'needs true or false'
  if (setting.type === 'string') return 'needs a text'
  const one = setting.type === 'integer' ? 'needs an integer' : 'needs integers as in "1, some name=2", each'
  return `${one}${setting.min === undefined ? '' : ` from ${setting.min}`}${setting.max === undefined ? '' : ` to ${setting.max}`}`
}

/** The settings as a sample environment file, each with its help: also the source of the documentation. */
export function sampleConfig(settings: Settings): string {
  return Object.values(settings)
    .map((s) => `# ${s.help}\n${s.default === undefined ? `# ${s.env}=` : `${s.env}=${s.default}`}`)
    .join('\n\n')
}
