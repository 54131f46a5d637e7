import { setTimeout as delay } from 'node:timers/promises'
import { type GridClient, withClient } from '../client/http.ts'
import { parseDid } from '../client/names.ts'
import { interruption, type SharedOptions, show } from '../common-options.ts'
import { partial } from '../outcome.ts'
import { bytesText, printable, table } from '../terminal.ts'
import { jobIds } from './ids.ts'

interface Did {
  readonly scope: string
  readonly name: string
}
interface Pinned {
  readonly release: string
  readonly revision: number
  readonly root: string
}
interface Job {
  readonly id: number
  readonly name: string
  readonly owner: string
  readonly status: string
  readonly minor: string
  readonly application: string
  readonly site: string | null
  readonly submittedAt: string
}
interface Attempt {
  readonly n: number
  readonly site: string
  readonly pilot: string | null
  readonly leasedAt: string
  readonly endedAt: string | null
  readonly outcome: string | null
  readonly reason: string | null
}
interface Shown {
  readonly job: Job
  readonly executable: string
  readonly arguments: readonly string[]
  readonly software: Pinned | null
  readonly inputs: readonly Did[]
  readonly made: readonly (Did & { readonly bytes: number })[]
  readonly parameters: Readonly<Record<string, string>>
  readonly attempts: readonly Attempt[]
  readonly history: readonly {
    readonly at: string
    readonly attempt: number
    readonly status: string
    readonly minor: string
    readonly source: string
  }[]
}
interface Explained {
  readonly job: Job
  readonly because: string
  readonly places: readonly {
    readonly site: string
    readonly resource: string
    readonly obstacles: readonly { readonly text: string }[]
    readonly paused: string | null
  }[]
  readonly share: { readonly group: number; readonly owner: number; readonly usedGroup: number } | null
}

const one = (text: string): number => jobIds([text])[0]!
const clockText = (text: string | null): string => text?.slice(0, 19).replace('T', ' ') ?? '-'

export async function showJob(text: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const shown = await client.json<Shown>('GET', `/kumi/v1/jobs/${one(text)}`)
    show(options, shown, () => wordsOf(shown))
  })
}

function wordsOf({
  job,
  executable,
  arguments: words,
  software,
  inputs,
  made,
  parameters,
  attempts,
  history,
}: Shown): string {
  const lines = [
    `Job ${job.id} "${job.name}" of ${job.owner}: ${job.status} (${job.minor}; ${job.application})`,
    `runs   ${[executable, ...words].join(' ')}`,
    ...releaseLine(software),
    ...(inputs.length > 0 ? [`reads  ${namesOf(inputs)}`] : []),
    ...made.map(({ scope, name, bytes }) => `made   ${scope}:${name} (${bytesText(bytes)})`),
    ...Object.entries(parameters).map(([name, value]) => `told   ${name} = ${printable(value)}`),
    '',
    table(attempts, [
      { title: 'START', right: true, value: (a) => a.n },
      { title: 'SITE', value: (a) => a.site },
      { title: 'PILOT', value: (a) => a.pilot },
      { title: 'FROM', value: (a) => clockText(a.leasedAt) },
      { title: 'TO', value: (a) => clockText(a.endedAt) },
      { title: 'OUTCOME', value: (a) => [a.outcome, a.reason].filter(Boolean).join(': ') || '-' },
    ]),
    '',
    table(history, [
      { title: 'WHEN', value: (h) => clockText(h.at) },
      { title: 'STATUS', value: (h) => h.status },
      { title: 'DETAIL', value: (h) => h.minor },
      { title: 'BY', value: (h) => h.source },
    ]),
  ]
  return lines.join('\n').replace(/\n{3,}/g, '\n\n')
}

const releaseLine = (software: Pinned | null): string[] =>
  software ? [`with   ${software.release}: revision ${software.revision}, root ${software.root}`] : []

function namesOf(dids: readonly Did[]): string {
  const names = dids.slice(0, 5).map(({ scope, name }) => `${scope}:${name}`)
  return names.join(', ') + (dids.length > 5 ? ` and ${dids.length - 5} more` : '')
}

export async function explain(text: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const found = await client.json<Explained>('GET', `/kumi/v1/jobs/${one(text)}/explain`)
    show(options, found, () =>
      [
        `Job ${found.job.id}: ${found.because}`,
        '',
        table(found.places, [
          { title: 'PLACE', value: (place) => place.resource },
          { title: 'SITE', value: (place) => place.site },
          {
            title: 'WHY NOT',
            value: (place) =>
              [...place.obstacles.map((obstacle) => obstacle.text), place.paused]
                .filter(Boolean)
                .join('; ') || 'it may run there',
          },
        ]),
      ]
        .join('\n')
        .trimEnd(),
    )
  })
}

export async function script(text: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<{ script: string }>('GET', `/kumi/v1/jobs/${one(text)}/script`)
    if (options.json) show(options, answer, () => '')
    else process.stdout.write(answer.script)
  })
}

interface LogOptions extends SharedOptions {
  readonly follow?: boolean
  readonly err?: boolean
  readonly attempt?: string
}
interface LogPart {
  readonly attempt: number
  readonly text: string
  readonly next: number
  readonly over: boolean
}

const FOLLOW_MS = 1000

export async function logs(text: string, options: LogOptions): Promise<void> {
  const id = one(text)
  await withClient(options, async (client) => {
    const { signal, end } = interruption()
    let [from, attempt, whole] = [0, options.attempt === undefined ? undefined : Number(options.attempt), '']
    try {
      for (;;) {
        const query = { from, attempt, stream: options.err ? 'err' : 'out' }
        const part = await client.json<LogPart>('GET', `/kumi/v1/jobs/${id}/log`, { query })
        if (attempt === undefined && part.attempt > 0) attempt = part.attempt
        if (options.json) whole += part.text
        else if (part.text) process.stdout.write(safeLines(part.text))
        const more = part.next > from
        from = part.next
        if (!more && (part.over || !options.follow || signal.aborted)) break
        if (!more) await delay(FOLLOW_MS, undefined, { signal }).catch(() => undefined)
      }
    } finally {
      end()
    }
    if (options.json) show(options, { job: id, attempt, text: whole }, () => '')
  })
}

/** Lines and tabs stay; what would command the terminal does not. */
const safeLines = (text: string): string =>
  process.stdout.isTTY
    ? text
        .split('\n')
        .map((line) => line.split('\t').map(printable).join('\t'))
        .join('\n')
    : text

export async function get(texts: readonly string[], options: SharedOptions & { to: string }): Promise<void> {
  const names = await withClient(options, async (client) => madeBy(client, jobIds(texts)))
  if (names.length === 0) throw partial('These jobs made no files that are in the catalogue.')
  const { get: fetchData } = await import('../data/transfer-files.ts')
  await fetchData(names, { ...options, dir: options.to, concurrency: '6' })
}

async function madeBy(client: GridClient, ids: readonly number[]): Promise<string[]> {
  const names: string[] = []
  for (const id of ids) {
    const { made } = await client.json<Shown>('GET', `/kumi/v1/jobs/${id}`)
    names.push(...made.map(({ scope, name }) => `${scope}:${name}`))
  }
  return names
}

interface Lineage {
  readonly file: Did
  readonly madeBy: {
    readonly job: number
    readonly owner: string
    readonly attempt: number
    readonly site: string
    readonly endedAt: string | null
    readonly executable: string
    readonly arguments: readonly string[]
    readonly software: Pinned | null
    readonly inputs: readonly Did[]
  } | null
}

export async function lineage(text: string, options: SharedOptions): Promise<void> {
  const { scope, name } = parseDid(text)
  await withClient(options, async (client) => {
    const path = `/kumi/v1/files/${encodeURIComponent(scope)}/${encodeURIComponent(name)}/lineage`
    const found = await client.json<Lineage>('GET', path)
    const by = found.madeBy
    show(options, found, () =>
      by
        ? [
            `${scope}:${name} was made by start ${by.attempt} of job ${by.job} of ${by.owner} at ${by.site}, ${clockText(by.endedAt)}`,
            `runs   ${[by.executable, ...by.arguments].join(' ')}`,
            ...releaseLine(by.software),
            ...(by.inputs.length > 0 ? [`reads  ${namesOf(by.inputs)}`] : []),
          ].join('\n')
        : `No job of this grid made ${scope}:${name}.`,
    )
  })
}
