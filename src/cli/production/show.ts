import { setTimeout as delay } from 'node:timers/promises'
import { type GridClient, withClient } from '../client/http.ts'
import { interruption, type SharedOptions, show } from '../common-options.ts'
import { partial } from '../outcome.ts'
import { table } from '../terminal.ts'

interface Line {
  readonly name: string
  readonly owner: string
  readonly life: string
  readonly validation: string
  readonly operation: string
  readonly reason: string
  readonly scouted: boolean
  readonly release: string
  readonly conditions: string
  readonly campaign: string
  readonly energy: string
  readonly progress: number
  readonly eventsVerified: number
  readonly eventsWanted: number | null
  readonly tasks: number
  readonly verified: number
  readonly failed: number
  readonly failRate: number | null
}

interface Shown extends Omit<Line, 'failRate'> {
  readonly source: string
  readonly steps: readonly {
    readonly name: string
    readonly kind: string
    readonly dataset: string
    readonly progress: number
    readonly tasks: number
    readonly waiting: number
    readonly notSubmitted: number
    readonly verified: number
    readonly failed: number
    readonly jobs: number
    readonly failRate: number | null
    readonly jobFailRate: number | null
    readonly blocks: readonly unknown[]
    readonly failures: readonly {
      readonly failure: string
      readonly tasks: number
      readonly reason: string
    }[]
  }[]
}

interface Task {
  readonly id: number
  readonly step: string
  readonly experiment: number | null
  readonly run: number | null
  readonly state: string
  readonly job: number | null
  readonly tries: number
  readonly failure: string | null
  readonly reason: string
}

const percent = (part: number | null): string => (part === null ? '-' : `${(part * 100).toFixed(1)} %`)

export async function ls(options: SharedOptions & { limit: string }): Promise<void> {
  await withClient(options, async (client) => {
    const query = { limit: options.limit }
    const answer = await client.json<{ productions: Line[] }>('GET', '/kumi/v1/productions', { query })
    show(options, answer, () =>
      table(answer.productions, [
        { title: 'PRODUCTION', value: (p) => p.name },
        { title: 'LIFE', value: (p) => p.life },
        { title: 'VALIDATION', value: (p) => p.validation },
        { title: 'OPERATION', value: (p) => p.operation },
        { title: 'PROGRESS', right: true, value: (p) => percent(p.progress) },
        { title: 'DONE', right: true, value: (p) => p.verified },
        { title: 'FAILED', right: true, value: (p) => p.failed },
        { title: 'FAIL RATE', right: true, value: (p) => percent(p.failRate) },
        { title: 'OWNER', value: (p) => p.owner },
      ]),
    )
  })
}

interface ShowOptions extends SharedOptions {
  readonly tasks?: string
  readonly source?: boolean
  readonly wait?: boolean
}

export async function showProduction(name: string, options: ShowOptions): Promise<void> {
  await withClient(options, async (client) => {
    const path = `/kumi/v1/productions/${encodeURIComponent(name)}`
    if (options.tasks) {
      const query = { state: options.tasks, limit: 1000 }
      const answer = await client.json<{ tasks: Task[] }>('GET', `${path}/tasks`, { query })
      return show(options, answer, () => tasksText(answer.tasks))
    }
    const shown = options.wait
      ? await untilOver(client, path, options)
      : await client.json<Shown>('GET', path)
    if (options.source) return void process.stdout.write(shown.source)
    show(options, shown, () => wordsOf(shown))
    if (options.wait && shown.life !== 'completed')
      throw partial(`${name} is ${shown.life}, ${shown.operation}: ${shown.reason}`)
  })
}

function wordsOf(shown: Shown): string {
  const { name, life, validation, operation, reason, scouted, steps } = shown
  const events =
    shown.eventsWanted === null
      ? `${shown.eventsVerified} events`
      : `${shown.eventsVerified} of ${shown.eventsWanted} events`
  return [
    `${name}: ${life}, ${validation}, ${operation}${reason ? ` – ${reason}` : ''}`,
    `${percent(shown.progress)}, ${events}; ${shown.release}, ${shown.conditions}, ${shown.campaign}, ${shown.energy}`,
    ...(life === 'active' && !scouted
      ? ['Its scouts are out; the other tasks follow when they succeeded.']
      : []),
    '',
    table(steps, [
      { title: 'STEP', value: (step) => step.name },
      { title: 'KIND', value: (step) => step.kind },
      { title: 'PROGRESS', right: true, value: (step) => percent(step.progress) },
      { title: 'TASKS', right: true, value: (step) => step.tasks },
      { title: 'DONE', right: true, value: (step) => step.verified },
      { title: 'FAILED', right: true, value: (step) => step.failed },
      { title: 'WAIT', right: true, value: (step) => step.waiting },
      { title: 'NOSUB', right: true, value: (step) => step.notSubmitted },
      { title: 'FAIL RATE', right: true, value: (step) => percent(step.failRate) },
      { title: 'OF ALL JOBS', right: true, value: (step) => percent(step.jobFailRate) },
      { title: 'JOBS', right: true, value: (step) => step.jobs },
      { title: 'BLOCKS', right: true, value: (step) => step.blocks.length },
      { title: 'DATASET', value: (step) => step.dataset },
    ]),
    ...steps.flatMap((step) =>
      step.failures.map(
        ({ failure, tasks, reason: why }) => `${step.name}: ${tasks} failed by ${failure}, such as ${why}`,
      ),
    ),
  ].join('\n')
}

const tasksText = (tasks: readonly Task[]): string =>
  table(tasks, [
    { title: 'TASK', right: true, value: (task) => task.id },
    { title: 'STEP', value: (task) => task.step },
    { title: 'EXPERIMENT', right: true, value: (task) => task.experiment },
    { title: 'RUN', right: true, value: (task) => task.run },
    { title: 'STATE', value: (task) => task.state },
    { title: 'JOB', right: true, value: (task) => task.job },
    { title: 'TRIES', right: true, value: (task) => task.tries },
    { title: 'WHY', value: (task) => [task.failure, task.reason].filter(Boolean).join(': ') || '-' },
  ])

const LOOK_MS = 1000

async function untilOver(client: GridClient, path: string, options: ShowOptions): Promise<Shown> {
  const { signal, end } = interruption()
  let before = ''
  try {
    for (;;) {
      const shown = await client.json<Shown>('GET', path)
      const line = `${shown.verified} of ${shown.tasks} tasks, ${shown.failed} failed, ${percent(shown.progress)}`
      if (!options.quiet && line !== before) process.stderr.write(`${line}\n`)
      before = line
      const atWork = shown.life === 'active' || shown.life === 'finishing'
      if (!atWork || shown.operation !== 'normal') return shown
      signal.throwIfAborted()
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    end()
  }
}
