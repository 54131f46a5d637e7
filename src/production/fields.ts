import type { Node } from './yaml.ts'

export interface Problem {
  readonly line: number
  /** As `steps[1].eventsPerJob`. */
  readonly field: string
  readonly message: string
}

/** Reads the fields of a map, notes what is wrong with them, and in the end what nobody asked for. */
export interface Fields {
  readonly line: number
  text(name: string, options: TextOptions): string
  whole(name: string, options: { min: number; max: number; or?: number }): number
  amount(name: string, options: { over: number; max: number; or?: number }): number
  flag(name: string, or: boolean): boolean
  one<T extends string>(name: string, choices: readonly T[], or?: T): T
  texts(name: string, options: TextOptions & { max: number }): string[]
  pairs(name: string): Record<string, string>
  /** Undefined where it is absent. */
  node(name: string): Node | undefined
  wrong(name: string, message: string): void
  /** Names that nothing read are mistakes. */
  end(): void
}

interface TextOptions {
  readonly pattern?: RegExp
  /** What it should look like. */
  readonly like?: string
  readonly most?: number
  /** Absent: it must be there. */
  readonly or?: string
}

export function fieldsOf(node: Node, path: string, problems: Problem[]): Fields {
  const entries = node.kind === 'map' ? node.entries : new Map<string, Node>()
  if (node.kind !== 'map')
    problems.push({ line: node.line, field: path, message: 'expected fields, one "name: value" a line' })
  const read = new Set<string>()
  const fieldName = (name: string) => (path ? `${path}.${name}` : name)
  const wrong = (name: string, message: string): void => {
    problems.push({ line: entries.get(name)?.line ?? node.line, field: fieldName(name), message })
  }
  const get = (name: string): Node | undefined => {
    read.add(name)
    return entries.get(name)
  }
  const plain = (name: string, or: string | undefined): string | undefined => {
    const found = get(name)
    if (found?.kind === 'text' && found.text !== '') return found.text
    if (found && found.kind !== 'text') wrong(name, 'expected one value')
    else if (or === undefined && node.kind === 'map') wrong(name, 'it is missing')
    return undefined
  }
  const checked = (name: string, text: string, { pattern, like, most = 255 }: TextOptions): string => {
    if (text.length > most) wrong(name, `at most ${most} characters`)
    else if (/\p{Cc}/u.test(text.replaceAll('\n', ''))) wrong(name, 'it holds control characters')
    else if (pattern && !pattern.test(text)) wrong(name, `"${text}" is not ${like}`)
    return text
  }
  return {
    line: node.line,
    node: get,
    wrong,
    text(name, options) {
      const text = plain(name, options.or)
      return text === undefined ? (options.or ?? '') : checked(name, text, options)
    },
    whole(name, { min, max, or }) {
      const text = plain(name, or === undefined ? undefined : String(or))
      if (text === undefined) return or ?? min
      const plainNumber = text.replaceAll('_', '')
      const value = /^\d{1,15}$/.test(plainNumber) ? Number(plainNumber) : Number.NaN
      if (value >= min && value <= max) return value
      wrong(name, `"${text}" is no whole number from ${min} to ${max}`)
      return or ?? min
    },
    amount(name, { over, max, or }) {
      const text = plain(name, or === undefined ? undefined : String(or))
      if (text === undefined) return or ?? over
      const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
      if (value > over && value <= max) return value
      wrong(name, `"${text}" is no number above ${over}, at most ${max}`)
      return or ?? max
    },
    flag(name, or) {
      const text = plain(name, String(or))
      if (text !== undefined && !/^(true|false|yes|no)$/.test(text)) wrong(name, 'write yes or no')
      return text === undefined ? or : text === 'true' || text === 'yes'
    },
    one(name, choices, or) {
      const text = plain(name, or)
      const found = choices.find((choice) => choice === text)
      if (text !== undefined && !found) wrong(name, `"${text}" is none of ${choices.join(', ')}`)
      return found ?? or ?? choices[0]!
    },
    texts(name, options) {
      const found = get(name)
      if (!found || (found.kind === 'text' && found.text === '')) {
        if (options.or === undefined && node.kind === 'map') wrong(name, 'it is missing')
        return options.or ? [options.or] : []
      }
      const items = found.kind === 'list' ? found.items : [found]
      if (items.length > options.max) wrong(name, `at most ${options.max} of them`)
      return items.flatMap((item) => {
        if (item.kind === 'text') return [checked(name, item.text, options)]
        wrong(name, 'expected a list of texts')
        return []
      })
    },
    pairs(name) {
      const found = get(name)
      if (!found) return {}
      if (found.kind !== 'map') {
        wrong(name, 'expected "NAME: value" lines')
        return {}
      }
      const pairs: Record<string, string> = {}
      for (const [key, item] of found.entries) {
        if (item.kind === 'text' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) pairs[key] = item.text
        else wrong(name, `"${key}" is no variable with one value`)
      }
      return pairs
    },
    end() {
      for (const [name, { line }] of entries)
        if (!read.has(name))
          problems.push({ line, field: fieldName(name), message: 'there is no such field' })
    },
  }
}
