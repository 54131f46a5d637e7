import type { FilterTerm, MetadataValue } from '../catalog/index.ts'
import { type Demand, type JobFile, normalDemand } from '../workload/index.ts'
import { invalidDefinition } from './errors.ts'
import { type Fields, fieldsOf, type Problem } from './fields.ts'
import {
  type Cell,
  type Definition,
  type Destination,
  EVENT_CHECKS,
  KINDS,
  type Step,
  type StepInput,
} from './types.ts'
import { type Node, parseYaml } from './yaml.ts'

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$/
const STEP = /^[a-z][a-z0-9_-]{0,23}$/
const WORD = /^[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}$/
const SCOPE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,24}$/
const FILE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/
const TREE = /^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/
const MOST_CELLS = 100_000
const MOST_EVENTS = 1e12
/** Names that a step may write as %(NAME)s in arguments and environment. */
export const PARAMETERS = [
  ...['experiment', 'run', 'eventType', 'events', 'firstEvent', 'seed', 'task'],
  ...['production', 'step', 'release', 'conditions', 'campaign', 'energy'],
] as const

export interface ReadDefinition {
  readonly definition: Definition
  /** Repository and tag of the software, as it is written; empty: none. */
  readonly software: string
  readonly cells: readonly Cell[]
}

/**
 * A production as it is written, checked as a whole. `files` came along with it. Throws bad_yaml, and
 * invalid_definition whose details list every problem with line and field.
 */
export function readDefinition(source: string, files: readonly JobFile[]): ReadDefinition {
  const problems: Problem[] = []
  const root = fieldsOf(parseYaml(source), '', problems)
  const eventTypes = root.texts('eventTypes', { max: 50, pattern: WORD, like: 'a word', or: 'any' })
  const definition: Definition = {
    name: root.text('production', { pattern: NAME, like: 'a name of letters, digits, _ and -' }),
    scope: root.text('scope', { pattern: SCOPE, like: 'a scope' }),
    description: root.text('description', { most: 4096, or: '' }),
    release: root.text('release', { pattern: WORD, like: 'the name of a release' }),
    conditions: root.text('conditions', { pattern: WORD, like: 'the tag of conditions' }),
    campaign: root.text('campaign', { pattern: WORD, like: 'a word' }),
    energy: root.text('energy', { pattern: WORD, like: 'a word such as 4S' }),
    eventTypes,
    priority: root.whole('priority', { min: 0, max: 10, or: 5 }),
    scouts: root.whole('scouts', { min: 0, max: 1000, or: 5 }),
    destinations: destinationsOf(root, problems),
    steps: stepsOf(root, problems, files),
  }
  const software = root.text('software', { most: 200, or: '' })
  const generates = definition.steps[0]?.kind === 'generate'
  const table = root.node('cells')
  const cells = table ? cellsOf(table, eventTypes, problems) : []
  if (generates && !table) root.wrong('cells', 'a production that generates needs a table of runs and events')
  if (!generates && table) root.wrong('cells', 'only a production whose first step generates has cells')
  root.end()
  conclude(problems)
  return { definition, cells, software }
}

/** More cells, or more events of those that are there: totals, so that sending it twice changes nothing more. */
export function readExtension(source: string, definition: Definition): readonly Cell[] {
  const problems: Problem[] = []
  const root = fieldsOf(parseYaml(source), '', problems)
  const table = root.node('cells')
  if (!table) root.wrong('cells', 'it is missing: only cells can be extended')
  // The whole definition with a longer table may be given.
  for (const name of ['production', ...FIXED]) root.node(name)
  const cells = table ? cellsOf(table, definition.eventTypes, problems) : []
  root.end()
  conclude(problems)
  return cells
}
const FIXED = [
  ...['scope', 'description', 'release', 'software', 'conditions', 'campaign', 'energy', 'eventTypes'],
  ...['priority', 'scouts', 'destinations', 'steps'],
]

function conclude(problems: readonly Problem[]): void {
  if (problems.length === 0) return
  const sorted = [...problems].sort((a, b) => a.line - b.line)
  const shown = sorted
    .slice(0, 5)
    .map(({ line, field, message }) => `line ${line}, ${field || 'the text'}: ${message}`)
  const more = sorted.length > 5 ? ` And ${sorted.length - 5} more.` : ''
  throw invalidDefinition(`${shown.join('; ')}.${more}`, { problems: sorted.slice(0, 100) })
}

function destinationsOf(root: Fields, problems: Problem[]): Destination[] {
  const found = root.node('destinations')
  if (found?.kind !== 'list' || found.items.length === 0) {
    root.wrong('destinations', 'say where the files go: a list of {storages, share}')
    return []
  }
  return found.items.map((item, i) => {
    const fields = fieldsOf(item, `destinations[${i}]`, problems)
    const destination = {
      storages: fields.text('storages', { most: 1024 }),
      share: fields.whole('share', { min: 1, max: 1_000_000, or: 1 }),
      copies: fields.whole('copies', { min: 1, max: 20, or: 1 }),
    }
    fields.end()
    return destination
  })
}

function stepsOf(root: Fields, problems: Problem[], files: readonly JobFile[]): Step[] {
  const found = root.node('steps')
  if (found?.kind !== 'list' || found.items.length === 0) {
    root.wrong('steps', 'there is none: a production does something')
    return []
  }
  if (found.items.length > 20) root.wrong('steps', 'at most 20 of them')
  const steps: Step[] = []
  for (const [i, item] of found.items.entries()) {
    const fields = fieldsOf(item, `steps[${i}]`, problems)
    const step = stepOf(fields, i, steps, problems, files)
    if (steps.some(({ name }) => name === step.name)) fields.wrong('name', 'another step has this name')
    const source = step.input && 'step' in step.input ? step.input.step : undefined
    if (step.kind === 'broadcast' && steps.some(({ name, keep }) => name === source && !keep))
      fields.wrong('input', `"${source}" does not keep its files, so there is nothing to broadcast`)
    steps.push(step)
    fields.end()
  }
  for (const [i, { name, keep }] of steps.entries()) {
    const taken = steps.some(({ input }) => input && 'step' in input && input.step === name)
    if (!keep && !taken)
      problems.push({
        ...{ line: found.items[i]!.line, field: `steps[${i}].keep` },
        message: 'no later step takes its files, so they must be kept',
      })
  }
  return steps
}

function stepOf(
  fields: Fields,
  i: number,
  before: readonly Step[],
  problems: Problem[],
  files: readonly JobFile[],
): Step {
  const name = fields.text('name', { pattern: STEP, like: 'a short name of small letters and digits' })
  const kind = fields.one('kind', KINDS, i === 0 ? undefined : 'standard')
  if (kind === 'generate' && i > 0) fields.wrong('kind', 'only the first step generates')
  const input = kind === 'generate' ? null : inputOf(fields, before, problems)
  const runs = kind !== 'broadcast'
  const texts = (field: string) => fields.texts(field, { max: 200, most: 4096, or: '' }).filter(Boolean)
  const words = runs ? texts('arguments') : []
  const environment = runs ? fields.pairs('environment') : {}
  for (const [field, list] of Object.entries({ arguments: words, environment: Object.values(environment) }))
    checkParameters(fields, field, list)
  const program = runs ? fields.text('program', { most: 1024 }) : ''
  return {
    ...{ name, kind, input, program, arguments: words, environment },
    files: runs ? filesOf(fields, program, files) : [],
    output: runs ? fields.text('output', { pattern: FILE, like: 'the plain name of one file' }) : '',
    tree: runs ? fields.text('tree', { pattern: TREE, like: 'the name of a tree, or no', or: '' }) : '',
    level: runs ? fields.text('level', { pattern: WORD, like: 'a data level such as mdst', or: name }) : '',
    events: runs ? fields.one('events', EVENT_CHECKS, kind === 'generate' ? 'exact' : 'fewer') : 'any',
    eventsPerJob: kind === 'generate' ? fields.whole('eventsPerJob', { min: 1, max: 1e9 }) : 0,
    filesPerJob:
      kind === 'standard' || kind === 'by_run'
        ? fields.whole('filesPerJob', { min: 1, max: 1000, or: 1 })
        : 0,
    gigabytesPerJob: kind === 'by_size' ? fields.amount('gigabytesPerJob', { over: 0, max: 10_000 }) : 0,
    waitSeconds:
      kind === 'generate' ? 0 : fields.whole('waitSeconds', { min: 0, max: 30 * 86_400, or: 3600 }),
    keep: fields.flag('keep', true),
    demand: runs ? demandOf(fields) : normalDemand({}),
    readFromAfar: runs && kind !== 'generate' ? fields.flag('readFromAfar', kind === 'by_size') : false,
    targets: runs ? [] : fields.texts('targets', { max: 50, most: 1024 }),
  }
}

function inputOf(fields: Fields, before: readonly Step[], problems: Problem[]): StepInput | null {
  const found = fields.node('input')
  if (!found) {
    const last = before.at(-1)
    if (!last) fields.wrong('input', 'the first step needs one: {scope, where}')
    return last ? { step: last.name } : null
  }
  if (found.kind === 'text') {
    const source = before.find(({ name }) => name === found.text)
    if (!source) fields.wrong('input', `there is no step "${found.text}" above`)
    else if (source.kind === 'broadcast') fields.wrong('input', `"${found.text}" makes no files`)
    return { step: found.text }
  }
  const own = fieldsOf(found, 'input', problems)
  const scope = own.text('scope', { pattern: SCOPE, like: 'a scope' })
  const where = own.node('where')
  if (where?.kind !== 'map' || where.entries.size === 0) {
    own.wrong('where', 'say which files: lines such as "level: raw" or "run: >= 100"')
    own.end()
    return { scope, where: [] }
  }
  own.end()
  const terms = [...where.entries].flatMap(([key, item]): FilterTerm[] => {
    const values = item.kind === 'list' ? item.items : [item]
    if (values.length === 0 || values.some(({ kind }) => kind !== 'text')) {
      own.wrong('where', `"${key}" needs a value, or a list of them`)
      return []
    }
    const texts = values.map((value) => (value.kind === 'text' ? value.text : ''))
    if (texts.length > 1) return [{ key, operator: 'in', value: texts.map(readingOf) }]
    const parts = /^(>=|<=|!=|>|<|=)\s*(.+)$/.exec(texts[0]!)
    return parts
      ? [{ key, operator: parts[1] as FilterTerm['operator'], value: readingOf(parts[2]!) }]
      : [{ key, operator: '=', value: readingOf(texts[0]!) }]
  })
  return { scope, where: terms }
}

const readingOf = (text: string): MetadataValue => (/^-?\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : text)

/** The files that `files` names, and the program where it came along. */
function filesOf(fields: Fields, program: string, files: readonly JobFile[]): JobFile[] {
  const names = fields.texts('files', { max: 100, pattern: FILE, like: 'the plain name of a file', or: '' })
  const came = files.some(({ name }) => name === program) ? [program] : []
  return [...new Set([...names.filter(Boolean), ...came])].flatMap((name) => {
    const file = files.find((each) => each.name === name)
    if (!file) fields.wrong('files', `"${name}" did not come along; it must lie beside the definition`)
    return file ? [file] : []
  })
}

/**
 * Names of the files that a definition may want from beside it: those of its `files` and programs without a path.
 * Whatever else is wrong with it is for `readDefinition` to say. Throws bad_yaml.
 */
export function filesNamed(source: string): string[] {
  const root = parseYaml(source)
  const steps = root.kind === 'map' ? root.entries.get('steps') : undefined
  const names = (steps?.kind === 'list' ? steps.items : []).flatMap((step) => {
    if (step.kind !== 'map') return []
    const files = step.entries.get('files')
    return [step.entries.get('program'), ...(files?.kind === 'list' ? files.items : [files])]
  })
  const texts = names.flatMap((node) => (node?.kind === 'text' && FILE.test(node.text) ? [node.text] : []))
  return [...new Set(texts)]
}

function checkParameters(fields: Fields, field: string, texts: readonly string[]): void {
  for (const text of texts)
    for (const [, name] of text.matchAll(/%\(([^)]*)\)s/g))
      if (!(PARAMETERS as readonly string[]).includes(name!))
        fields.wrong(field, `%(${name})s is none of ${PARAMETERS.join(', ')}`)
}

function demandOf(fields: Fields): Demand {
  const names = (field: string) =>
    fields.texts(field, { max: 100, pattern: WORD, like: 'a name', or: '' }).filter(Boolean)
  const sites = names('sites')
  const wish = {
    seconds: fields.whole('time', { min: 1, max: 1_080_000, or: 86_400 }),
    cores: fields.whole('cores', { min: 1, max: 1024, or: 1 }),
    memoryMb: fields.whole('memory', { min: 1, max: 16_777_216, or: 2048 }),
    diskMb: fields.whole('disk', { min: 1, max: 16_777_216, or: 10_240 }),
    platform: fields.text('platform', { pattern: WORD, like: 'a platform', or: '' }) || null,
    ...{ tags: names('tags'), sites: sites.length > 0 ? sites : null, banned: names('banned') },
  }
  return normalDemand(wish)
}

function cellsOf(table: Node, eventTypes: readonly string[], problems: Problem[]): Cell[] {
  const at = (line: number, i: number, message: string) =>
    problems.push({ line, field: `cells[${i}]`, message })
  if (table.kind !== 'list' || table.items.length === 0) {
    problems.push({ line: table.line, field: 'cells', message: 'expected lines such as - [26, 101, 50000]' })
    return []
  }
  const cells = new Map<string, Cell>()
  for (const [i, item] of table.items.entries()) {
    const values = rowOf(item)
    if (!values) {
      at(
        item.line,
        i,
        'expected [experiment, run or first-last, events] or these as fields, and an event type if need be',
      )
      continue
    }
    const [experiment, events] = [wholeOf(values.experiment), wholeOf(values.events)]
    const runs = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(values.run)
    const [first, last] = [Number(runs?.[1]), Number(runs?.[2] ?? runs?.[1])]
    if (experiment === undefined || experiment > 2e9)
      at(item.line, i, `"${values.experiment}" is no experiment`)
    else if (!runs || last < first || last > 2e9 || last - first >= MOST_CELLS)
      at(item.line, i, `"${values.run}" is no run, nor runs such as 101-150`)
    else if (events === undefined || events < 1 || events > MOST_EVENTS)
      at(item.line, i, `"${values.events}" is no number of events`)
    else if (values.eventType && !eventTypes.includes(values.eventType))
      at(item.line, i, `"${values.eventType}" is none of the event types ${eventTypes.join(', ')}`)
    else {
      for (let run = first; run <= last; run++) {
        for (const eventType of values.eventType ? [values.eventType] : eventTypes) {
          const key = `${experiment} ${run} ${eventType}`
          if (cells.has(key))
            at(item.line, i, `experiment ${experiment}, run ${run}, ${eventType} is there twice`)
          cells.set(key, { experiment, run, eventType, events })
        }
      }
    }
    if (cells.size > MOST_CELLS) {
      at(item.line, i, `more than ${MOST_CELLS} cells; make several productions`)
      break
    }
  }
  return [...cells.values()]
}

const wholeOf = (text: string): number | undefined => {
  const plain = text.replaceAll('_', '')
  return /^\d{1,15}$/.test(plain) ? Number(plain) : undefined
}

function rowOf(
  item: Node,
): { experiment: string; run: string; events: string; eventType?: string } | undefined {
  const text = (node: Node | undefined) => (node?.kind === 'text' ? node.text : '')
  if (item.kind === 'list') {
    if (item.items.length < 3 || item.items.length > 4) return undefined
    const [experiment, run, events, eventType] = item.items.map(text)
    return { experiment: experiment!, run: run!, events: events!, ...(eventType && { eventType }) }
  }
  if (item.kind !== 'map') return undefined
  const known = ['experiment', 'run', 'events', 'eventType']
  if ([...item.entries.keys()].some((key) => !known.includes(key))) return undefined
  const [experiment, run, events, eventType] = known.map((key) => text(item.entries.get(key)))
  return { experiment: experiment!, run: run!, events: events!, ...(eventType && { eventType }) }
}
