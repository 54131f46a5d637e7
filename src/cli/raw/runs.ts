import { setTimeout as delay } from 'node:timers/promises'
import { type GridClient, withClient } from '../client/http.ts'
import { interruption, type SharedOptions, show } from '../common-options.ts'
import { bytesText, table } from '../terminal.ts'
import { type RawFile, runPath } from './run-path.ts'

interface Run {
  readonly flow: string
  readonly experiment: number
  readonly run: number
  readonly dataset: string
  readonly state: string
  readonly filesExpected: number | null
  readonly files: number
  readonly bytes: number
  readonly events: number
  readonly states: readonly { readonly state: string; readonly files: number }[]
  readonly problems: number
  readonly centre: string
  readonly unsafeSince: string | null
}

const filesIn = ({ states }: Run, ...wanted: string[]): number =>
  states.reduce((sum, { state, files }) => (wanted.includes(state) ? sum + files : sum), 0)

export async function ls(options: SharedOptions & { flow?: string; limit: string }): Promise<void> {
  await withClient(options, async (client) => {
    const query = { limit: options.limit, ...(options.flow && { flow: options.flow }) }
    const answer = await client.json<{ runs: Run[] }>('GET', '/kumi/v1/raw/runs', { query })
    show(options, answer, () =>
      table(answer.runs, [
        { title: 'EXPERIMENT', right: true, value: (run) => run.experiment },
        { title: 'RUN', right: true, value: (run) => run.run },
        { title: 'STATE', value: (run) => run.state },
        { title: 'FILES', right: true, value: (run) => `${run.files}/${run.filesExpected ?? '?'}` },
        { title: 'SIZE', right: true, value: (run) => bytesText(run.bytes) },
        {
          title: 'REGISTERED',
          right: true,
          value: (run) => run.files - filesIn(run, 'recorded', 'landed', 'verified'),
        },
        {
          title: 'SECOND COPY',
          right: true,
          value: (run) => filesIn(run, 'second_copy', 'releasable', 'released'),
        },
        { title: 'RELEASED', right: true, value: (run) => filesIn(run, 'released') },
        { title: 'PROBLEMS', right: true, value: (run) => run.problems },
      ]),
    )
  })
}

interface ShowOptions extends SharedOptions {
  readonly state?: string
  readonly wait?: boolean
}

export async function showRun(experiment: string, run: string, options: ShowOptions): Promise<void> {
  const path = runPath(experiment, run)
  await withClient(options, async (client) => {
    const shown = options.wait
      ? await untilReleasable(client, path, options)
      : await client.json<Run>('GET', path)
    const files = await filesOf(client, path, options.state)
    show(options, { ...shown, fileList: files }, () =>
      [
        `Experiment ${shown.experiment}, run ${shown.run}: ${shown.state}, ${shown.files} of ${shown.filesExpected ?? 'so far unknown'} files, ${bytesText(shown.bytes)}, ${shown.events} events`,
        `${shown.dataset}, second copies at ${shown.centre}`,
        ...(shown.unsafeSince
          ? [`without a second copy since ${shown.unsafeSince.slice(0, 19).replace('T', ' ')}`]
          : []),
        '',
        table(files, [
          { title: 'FILE', value: (file) => file.name },
          { title: 'STREAM', value: (file) => file.stream },
          { title: 'STATE', value: (file) => file.state },
          { title: 'EVENTS', right: true, value: (file) => file.events },
          {
            title: 'COPIES',
            value: (file) =>
              file.copies
                .filter(({ available, verifiedAt }) => available && verifiedAt)
                .map(({ rse }) => rse)
                .join(' ') || '-',
          },
          { title: 'PROBLEM', value: (file) => file.problem },
        ]),
      ].join('\n'),
    )
  })
}

const PAGE = 1000

/** All files of a run. */
export async function filesOf(client: GridClient, path: string, state?: string): Promise<RawFile[]> {
  const files: RawFile[] = []
  for (;;) {
    const after = files.at(-1)?.name
    const query = { limit: PAGE, ...(state && { state }), ...(after && { after }) }
    const page = await client.json<{ files: RawFile[] }>('GET', `${path}/files`, { query })
    files.push(...page.files)
    if (page.files.length < PAGE) return files
  }
}

const LOOK_MS = 1000

async function untilReleasable(client: GridClient, path: string, options: ShowOptions): Promise<Run> {
  const { signal, end } = interruption()
  let before = ''
  try {
    for (;;) {
      const run = await client.json<Run>('GET', path)
      const line = run.states
        .filter(({ files }) => files > 0)
        .map(({ state, files }) => `${files} ${state}`)
        .join(', ')
      if (!options.quiet && line !== before) process.stderr.write(`${line}\n`)
      before = line
      if (run.files > 0 && filesIn(run, 'releasable', 'released') === run.files) return run
      signal.throwIfAborted()
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    end()
  }
}
