import { badYaml } from './errors.ts'

/** A value of a document, with the line on which it begins, so that whoever reads it can say where something is wrong. */
export type Node =
  | { readonly kind: 'text'; readonly line: number; readonly text: string }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly Node[] }
  | { readonly kind: 'map'; readonly line: number; readonly entries: ReadonlyMap<string, Node> }

interface Line {
  readonly number: number
  readonly indent: number
  /** Without indentation and comment. */
  readonly text: string
}

const MOST_BYTES = 8 << 20
const DEEPEST = 30

/**
 * The part of YAML 1.2 in which people write settings: maps, lists, texts in either form, with comments. Every scalar
 * stays text; what a number is, is for the reader to say. Anchors, tags, several documents and tabs as indentation are
 * refused rather than guessed at. Throws bad_yaml with the line.
 */
export function parseYaml(source: string): Node {
  if (source.length > MOST_BYTES) throw badYaml('The text is longer than 8 MiB.')
  const raw = source.replace(/^\uFEFF/, '').split(/\r?\n/)
  const at = { i: 0 }
  skip(raw, at)
  if (at.i < raw.length && raw[at.i]!.trim() === '---') {
    at.i++
    skip(raw, at)
  }
  const first = lineAt(raw, at.i)
  if (!first) throw problem(1, 'there is nothing in it')
  const node = block(raw, at, first.indent, 0)
  skip(raw, at)
  const rest = lineAt(raw, at.i)
  if (rest)
    throw problem(
      rest.number,
      rest.text === '---' ? 'only one document' : 'the indentation fits nothing above',
    )
  return node
}

const problem = (line: number, what: string) => badYaml(`Line ${line}: ${what}.`, { line })

function skip(raw: string[], at: { i: number }): void {
  while (at.i < raw.length && /^\s*(#.*)?$/.test(raw[at.i]!)) at.i++
}

function lineAt(raw: string[], i: number): Line | undefined {
  const whole = raw[i]
  if (whole === undefined) return undefined
  const indent = /^ */.exec(whole)![0].length
  if (whole[indent] === '\t') throw problem(i + 1, 'indent by spaces, not by tabs')
  return { number: i + 1, indent, text: withoutComment(whole.slice(indent)) }
}

function withoutComment(text: string): string {
  let quote = ''
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (quote) {
      if (c === '\\' && quote === '"') i++
      else if (c === quote) quote = ''
    } else if ((c === '"' || c === "'") && (i === 0 || /[\s[{,:]/.test(text[i - 1]!))) quote = c
    else if (c === '#' && (i === 0 || /\s/.test(text[i - 1]!))) return text.slice(0, i).trimEnd()
  }
  return text.trimEnd()
}

function block(raw: string[], at: { i: number }, indent: number, depth: number): Node {
  const first = lineAt(raw, at.i)!
  if (depth > DEEPEST) throw problem(first.number, 'too deep')
  if (/^-(\s|$)/.test(first.text)) return list(raw, at, indent, depth)
  if (keyOf(first.text)) return map(raw, at, indent, depth)
  return value(raw, at, first.text, first.number, indent)
}

function list(raw: string[], at: { i: number }, indent: number, depth: number): Node {
  const items: Node[] = []
  const start = at.i + 1
  for (;;) {
    skip(raw, at)
    const line = lineAt(raw, at.i)
    if (!line || line.indent < indent) break
    const dash = /^-(\s|$)/.test(line.text)
    // The list may stand as far left as the names of the map that holds it.
    if (line.indent === indent && !dash) break
    if (!dash || line.indent > indent) throw problem(line.number, 'a list goes on with "- " below its first')
    const inner = line.text.slice(1).trimStart()
    if (inner === '') {
      at.i++
      items.push(nested(raw, at, indent + 1, line.number, depth))
    } else if (keyOf(inner)) {
      // The dash is part of the indentation of the map that begins behind it.
      const lines = raw
      const column = indent + (line.text.length - inner.length)
      lines[at.i] = `${' '.repeat(column)}${raw[at.i]!.slice(column)}`
      items.push(map(lines, at, column, depth + 1))
    } else items.push(value(raw, at, inner, line.number, indent))
  }
  return { kind: 'list', line: start, items }
}

function map(raw: string[], at: { i: number }, indent: number, depth: number): Node {
  const entries = new Map<string, Node>()
  const start = at.i + 1
  for (;;) {
    skip(raw, at)
    const line = lineAt(raw, at.i)
    if (!line || line.indent < indent) break
    const found = line.indent === indent ? keyOf(line.text) : undefined
    if (!found) throw problem(line.number, 'expected "name: value" at this indentation')
    const { key, rest } = found
    if (entries.has(key)) throw problem(line.number, `"${key}" is there twice`)
    if (rest === '') {
      at.i++
      entries.set(key, nested(raw, at, indent, line.number, depth))
    } else entries.set(key, value(raw, at, rest, line.number, indent))
  }
  return { kind: 'map', line: start, entries }
}

/** What stands below a name or a dash; nothing is the empty text. A list may stand as far left as its name. */
function nested(raw: string[], at: { i: number }, indent: number, line: number, depth: number): Node {
  skip(raw, at)
  const next = lineAt(raw, at.i)
  const below = next && (next.indent > indent || (next.indent === indent && /^-(\s|$)/.test(next.text)))
  return below ? block(raw, at, next.indent, depth + 1) : { kind: 'text', line, text: '' }
}

const KEY =
  /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'[\]{},&*!|>%@`#:-][^:#]*?|[^\s"'[\]{},&*!|>%@`#:])\s*:(?=\s|$)(.*)$/

function keyOf(text: string): { key: string; rest: string } | undefined {
  const parts = KEY.exec(text)
  return parts ? { key: unquoted(parts[1]!), rest: parts[2]!.trim() } : undefined
}

/** A value that begins on this line; moves past its last line. */
function value(raw: string[], at: { i: number }, text: string, line: number, indent: number): Node {
  if (/^[|>]/.test(text)) return literal(raw, at, text, line, indent)
  if (/^[[{]/.test(text)) return flow(raw, at, text, line)
  at.i++
  if (/^[&*!%@`]/.test(text))
    throw problem(line, `"${text[0]}" has a meaning of its own here; put the text in quotes`)
  if (/^["']/.test(text)) {
    if (!/^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')$/.test(text))
      throw problem(line, 'the quotes do not close on this line')
    return { kind: 'text', line, text: unquoted(text) }
  }
  if (/:(\s|$)/.test(text)) throw problem(line, 'a colon in a text needs quotes around the text')
  return { kind: 'text', line, text: text === '~' || text === 'null' ? '' : text }
}

function literal(raw: string[], at: { i: number }, text: string, line: number, indent: number): Node {
  const parts = /^([|>])([-+]?)$/.exec(text)
  if (!parts) throw problem(line, 'after | or > the text begins on the next line')
  const lines: string[] = []
  for (at.i++; at.i < raw.length; at.i++) {
    const whole = raw[at.i]!
    if (whole.trim() !== '' && /^ */.exec(whole)![0].length <= indent) break
    lines.push(whole)
  }
  while (lines.at(-1)?.trim() === '') lines.pop()
  const left = Math.min(...lines.filter((l) => l.trim()).map((l) => /^ */.exec(l)![0].length))
  const own = lines.map((l) => l.slice(left))
  const joined = parts[1] === '|' ? own.join('\n') : own.join(' ').replace(/ {2,}/g, '\n')
  return { kind: 'text', line, text: joined + (parts[2] === '-' || joined === '' ? '' : '\n') }
}

/** `[a, b]` and `{a: b}`, over as many lines as it takes to close. */
function flow(raw: string[], at: { i: number }, text: string, line: number): Node {
  let all = text
  const ends = [text.length]
  at.i++
  while (!closed(all)) {
    if (at.i >= raw.length) throw problem(line, `"${text[0]}" is never closed`)
    all += ` ${withoutComment(raw[at.i++]!.trim())}`
    ends.push(all.length)
  }
  const place = { at: 0 }
  const lineOf = (position: number) => line + ends.findIndex((end) => position <= end)
  const node = flowValue(all, place, lineOf, 0)
  if (all.slice(place.at).trim() !== '')
    throw problem(lineOf(place.at), `nothing may follow the last "${all[place.at - 1]}"`)
  return node
}

function closed(text: string): boolean {
  let [depth, quote] = [0, '']
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (quote) {
      if (c === '\\' && quote === '"') i++
      else if (c === quote) quote = ''
    } else if (c === '"' || c === "'") quote = c
    else if (c === '[' || c === '{') depth++
    else if ((c === ']' || c === '}') && --depth === 0) return true
  }
  return false
}

function flowValue(text: string, place: { at: number }, lineOf: (at: number) => number, depth: number): Node {
  const blank = () => {
    while (text[place.at] === ' ') place.at++
  }
  blank()
  const line = lineOf(place.at)
  if (depth > DEEPEST) throw problem(line, 'too deep')
  const open = text[place.at]
  if (open === '[' || open === '{') {
    place.at++
    const items: Node[] = []
    const entries = new Map<string, Node>()
    const end = open === '[' ? ']' : '}'
    for (blank(); text[place.at] !== end; blank()) {
      if (open === '[') items.push(flowValue(text, place, lineOf, depth + 1))
      else {
        const key = flowValue(text, place, lineOf, depth + 1)
        blank()
        if (key.kind !== 'text' || text[place.at] !== ':')
          throw problem(lineOf(place.at), 'expected "name: value" between { and }')
        if (entries.has(key.text)) throw problem(key.line, `"${key.text}" is there twice`)
        place.at++
        entries.set(key.text, flowValue(text, place, lineOf, depth + 1))
      }
      blank()
      if (text[place.at] === ',') place.at++
      else if (text[place.at] !== end) throw problem(lineOf(place.at), `expected "," or "${end}"`)
    }
    place.at++
    return open === '[' ? { kind: 'list', line, items } : { kind: 'map', line, entries }
  }
  const quoted = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')/.exec(text.slice(place.at, place.at + 65_536))
  if (quoted) {
    place.at += quoted[0].length
    return { kind: 'text', line, text: unquoted(quoted[0]) }
  }
  const plain = /^(?:[^\s,[\]{}:"'&*!%@`]|:(?=[^\s,[\]{}]))(?:[^,[\]{}:]|:(?=[^\s,[\]{}]))*/.exec(
    text.slice(place.at, place.at + 65_536),
  )
  if (!plain) throw problem(line, `"${text[place.at] ?? ''}" is not expected here`)
  place.at += plain[0].length
  return { kind: 'text', line, text: plain[0].trim() }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0' }

function unquoted(text: string): string {
  if (text[0] === "'") return text.slice(1, -1).replaceAll("''", "'")
  if (text[0] !== '"') return text
  return text
    .slice(1, -1)
    .replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (_, code: string | undefined, one: string) =>
      code ? String.fromCharCode(Number.parseInt(code, 16)) : (ESCAPES[one] ?? one),
    )
}
