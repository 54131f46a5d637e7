import type { Did } from '../catalog/index.ts'
import { normalDemand } from './demand.ts'
import { invalidJdl } from './errors.ts'
import { countOf, type Expansion, expandParameters } from './parametric.ts'
import type { Demand, Jdl, JdlValue, JobItem, NewJobs } from './types.ts'

const MOST_CHARACTERS = 1 << 20

/**
 * Reads the field's job description language: `name = value;` with or without brackets around all, values being
 * "text", numbers, words and `{lists}`; names have no case. Comments begin with `//` or `#`, or stand in `/* … *\/`.
 * Throws invalid_jdl with the line.
 */
export function parseJdl(text: string): Jdl {
  if (text.length > MOST_CHARACTERS) throw invalidJdl('A job description has at most 1 MiB.')
  const reader = new Reader(text)
  const found = new Map<string, JdlValue>()
  const bracket = reader.take('[')
  for (;;) {
    if (bracket ? reader.take(']') : reader.atEnd()) break
    if (reader.take(';')) continue
    const name = reader.word()
    reader.need('=')
    found.set(name.toLowerCase(), reader.value())
    if (!reader.take(';') && !(bracket ? reader.sees(']') : reader.atEnd())) reader.fail('";"')
  }
  if (!reader.atEnd()) reader.fail('the end')
  return found
}

class Reader {
  private at = 0
  private readonly text: string
  constructor(text: string) {
    this.text = text
  }

  fail(wanted: string): never {
    const line = this.text.slice(0, this.at).split('\n').length
    const here = this.text.slice(this.at, this.at + 20).split('\n')[0]
    throw invalidJdl(`Line ${line} of the job description: ${wanted} is missing before "${here}".`, { line })
  }

  private skip(): void {
    const blank = /\s+|\/\/[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\//y
    for (;;) {
      blank.lastIndex = this.at
      const found = blank.exec(this.text)
      if (!found || found[0] === '') return
      this.at = blank.lastIndex
    }
  }

  atEnd(): boolean {
    this.skip()
    return this.at >= this.text.length
  }

  sees(mark: string): boolean {
    this.skip()
    return this.text.startsWith(mark, this.at)
  }

  take(mark: string): boolean {
    const seen = this.sees(mark)
    if (seen) this.at += mark.length
    return seen
  }

  need(mark: string): void {
    if (!this.take(mark)) this.fail(`"${mark}"`)
  }

  private match(pattern: RegExp): string | undefined {
    this.skip()
    pattern.lastIndex = this.at
    const found = pattern.exec(this.text)
    if (!found) return undefined
    this.at = pattern.lastIndex
    return found[0]
  }

  word(): string {
    return this.match(/[A-Za-z_][A-Za-z0-9_.]*/y) ?? this.fail('a name')
  }

  value(): JdlValue {
    if (!this.take('{')) return this.scalar()
    const list: string[] = []
    while (!this.take('}')) {
      list.push(this.scalar())
      if (!this.take(',') && !this.sees('}')) this.fail('"," or "}"')
    }
    return list
  }

  private scalar(): string {
    const quoted = this.match(/"(?:[^"\\]|\\[\s\S])*"/y)
    if (quoted !== undefined) return quoted.slice(1, -1).replace(/\\(["\\])/g, '$1')
    const plain = this.match(/[A-Za-z0-9_.+:/%@-][A-Za-z0-9_.+:/%@()-]*/y)
    return plain ?? this.fail('a value')
  }
}

/** Jobs of a description; whoever submits them looks up the tree that `software` means now. */
export interface DescribedJobs extends NewJobs {
  readonly expansion: Expansion
  /** A release such as koto.example.org@release-08; empty: none. */
  readonly software: string
}

/**
 * What a job description asks for. `outputDataset` names the dataset that outputs without one go to. `Software` is a
 * name of ours: the field's descriptions have none for a release.
 */
export function jobsOfJdl(
  text: string,
  defaults: { readonly outputDataset: (name: string) => Did },
): DescribedJobs {
  const jdl = parseJdl(text)
  const one = (name: string): string | undefined => {
    const value = jdl.get(name)
    return typeof value === 'string' ? value : value?.length === 1 ? value[0] : undefined
  }
  const list = (name: string): string[] => {
    const value = jdl.get(name)
    if (value === undefined) return []
    return typeof value === 'string' ? value.split(/[,\s]+/).filter(Boolean) : [...value]
  }
  const executable = one('executable')
  if (!executable) throw invalidJdl('The job description names no Executable.')
  const cores = Math.max(
    countOf(one('numberofprocessors'), 'NumberOfProcessors') ?? 1,
    countOf(one('minnumberofprocessors'), 'MinNumberOfProcessors') ?? 1,
  )
  const sites = list('site').filter((site) => site !== 'ANY')
  const wish: Partial<Demand> = {
    seconds: Math.max(100, countOf(one('cputime'), 'CPUTime') ?? 86_400),
    cores,
    ...(one('memory') !== undefined && { memoryMb: countOf(one('memory'), 'Memory')! }),
    ...(one('disk') !== undefined && { diskMb: countOf(one('disk'), 'Disk')! }),
    platform: ['', 'any', undefined].includes(one('platform')?.toLowerCase()) ? null : one('platform')!,
    tags: list('tags'),
    sites: sites.length > 0 ? sites : null,
    banned: list('bannedsites'),
  }
  const name = one('jobname') ?? 'Name'
  const expansion = expandParameters(jdl)
  const inputs = list('inputdata').map((did) => did.replace(/^LFN:/i, ''))
  const { outputDataset } = defaults
  const path = one('outputpath')
  const target = path?.includes(':') ? didOf(path) : outputDataset(name)
  return {
    name,
    jobGroup: one('jobgroup') ?? '',
    jobType: one('jobtype') ?? 'User',
    priority: Math.min(10, countOf(one('priority'), 'Priority') ?? 1),
    demand: normalDemand(wish),
    spec: {
      executable,
      arguments: wordsOf(jdl.get('arguments')),
      environment: environmentOf(list('executionenvironment')),
      files: [],
      inputSandboxes: list('inputsandbox').filter((item) => item.startsWith('SB:')),
      outputSandbox: list('outputsandbox'),
      standardOutput: one('stdoutput') ?? 'std.out',
      standardError: one('stderror') ?? 'std.err',
      outputs: list('outputdata').map((pattern) => ({ pattern, dataset: target })),
      destination: list('outputse').join('|') || null,
      readFromAfar: false,
      tries: 1,
      jdl: text,
    },
    items: expansion.items.map((item): JobItem => {
      const named = inputs.map((input) => didOf(filled(input, item)))
      return { ...item, inputs: named }
    }),
    expansion,
    software: one('software') ?? '',
  }
}

/** `scope:name`, or the field's path `/vo/scope/name`. */
export function didOf(text: string): Did {
  const colon = text.indexOf(':')
  if (colon > 0) return { scope: text.slice(0, colon), name: text.slice(colon + 1) }
  const parts = text.split('/').filter(Boolean)
  if (!text.startsWith('/') || parts.length < 3)
    throw invalidJdl(`"${text}" is no name of data: write scope:name.`)
  return { scope: parts[1]!, name: parts.slice(2).join('/') }
}

/** Arguments are one text, split as a shell would: quotes keep words together, nothing is expanded. */
export function wordsOf(value: JdlValue | undefined): string[] {
  if (value === undefined) return []
  if (typeof value !== 'string') return [...value]
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (const character of value) {
    if (quote) {
      if (character === quote) quote = ''
      else word = (word ?? '') + character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + character
  }
  if (word !== undefined) words.push(word)
  return words
}

function environmentOf(list: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((entry) => {
      const parts = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(entry)
      if (!parts) throw invalidJdl(`"${entry}" is no variable: write NAME=value.`)
      return [parts[1]!, parts[2]!]
    }),
  )
}

/** `%(NAME)s`, `%s` and `%n` replaced; `%j` (the job's number) only where it is known. */
export function filled(text: string, item: Pick<JobItem, 'n' | 'parameters'>, jobId?: bigint): string {
  return text.replace(/%\(([A-Za-z0-9_]+)\)s|%s|%n|%j/g, (mark, name?: string) => {
    if (mark === '%n') return String(item.n)
    if (mark === '%j') return jobId === undefined ? mark : String(jobId)
    return item.parameters[(name ?? '').toLowerCase()] ?? mark
  })
}
