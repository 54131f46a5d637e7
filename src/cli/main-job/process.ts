import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from '../../embedded/index.ts'
import { defineError } from '../../kernel/errors.ts'
import { ensure, orMissing } from '../client/failure.ts'
import { recordedProduction } from '../demo/definitions.ts'
import { runCommand } from '../demo/own-command.ts'
import { REPOSITORY, writeRelease } from '../demo/release.ts'
import { type Doors, type FileView, until } from './doors.ts'

const notProcessed = defineError('fatal', 'run_not_processed')

const RELEASE = 'v1'
const SCOPE = 'user.admin'
const SITES = ['kek', 'osaka']

interface ProductionView {
  readonly life: string
  readonly operation: string
  readonly reason: string
  readonly progress: number
  readonly steps: readonly {
    readonly name: string
    readonly inputs: number
    readonly tasks: number
    readonly verified: number
    readonly jobs: number
    readonly eventsVerified: number
  }[]
}

export interface Processed {
  readonly jobs: number
  /** Collisions that were reconstructed. */
  readonly events: number
  /** Pairs of muons in the plot. */
  readonly pairs: number
  /** Where the plot lies; SVG. */
  readonly plot: string
  /** Its name in the catalogue. */
  readonly did: string
}

/**
 * Makes a plot of the raw data of a run: a production whose jobs use a published release, two scouts first. Throws
 * run_not_processed when an event is missing on the way.
 */
export async function processRun(
  home: Home,
  doors: Doors,
  of: {
    readonly raw: string
    readonly run: number
    /** ROOT files of the run, and the events in them. */
    readonly files: number
    readonly events: number
  },
  progress: (text: string) => void,
): Promise<Processed> {
  progress(`publishing ${REPOSITORY}@${RELEASE}`)
  await publishOnce(home, doors)
  await ensure(doors.call('POST', `/rucio/accounts/admin/scopes/${SCOPE}`))
  const name = `Run${of.run}`
  const path = `/kumi/v1/productions/${name}`
  const definition = recordedProduction({
    ...{ name, scope: SCOPE, release: RELEASE, raw: of.raw, run: of.run },
    ...{ sites: SITES, filesPerJob: Math.ceil(of.files / 4) },
  })
  await doors.call('POST', '/kumi/v1/productions', { definition })
  await doors.call('POST', `${path}/validation`, { accept: true })
  await doors.call('POST', `${path}/orders`, { order: 'start' })
  const look = async (): Promise<ProductionView> => {
    const shown = await doors.call<ProductionView>('GET', path)
    if (shown.operation !== 'normal') throw notProcessed(`Production ${name} stopped: ${shown.reason}`)
    const at = shown.steps.findLast(({ tasks }) => tasks > 0)
    if (at) progress(`${at.name}: ${at.verified} of ${at.tasks} jobs, ${at.eventsVerified} events`)
    return shown
  }
  await until('the run being found', look, ({ steps }) => steps[0]!.inputs === of.files)
  await doors.call('POST', `${path}/orders`, { order: 'finish' })
  const { steps } = await until('the plot', look, ({ life }) => life === 'completed')
  const events = steps[0]!.eventsVerified
  if (events !== of.events)
    throw notProcessed(`${of.events} events were recorded, ${events} were reconstructed.`)
  const [file] = await doors.files(SCOPE, `${name}.plot`)
  return {
    ...{ jobs: steps.reduce((sum, { jobs }) => sum + jobs, 0), events, pairs: steps.at(-1)!.eventsVerified },
    ...{ plot: await fetched(home, doors, file!, of.run), did: `${SCOPE}:${file!.name}` },
  }
}

async function publishOnce(home: Home, doors: Doors): Promise<void> {
  const repository = await orMissing(
    doors.call<{ tags: { name: string }[] }>('GET', `/kumi/v1/software/repositories/${REPOSITORY}`),
  )
  if (repository?.tags.some(({ name }) => name === RELEASE)) return
  const directory = join(home.path, 'recording', 'release')
  await writeRelease(directory)
  const env = { ...process.env, BEARER_TOKEN: doors.client.token() }
  const kumi = (...words: string[]) => runCommand(words, { home: home.path, quiet: true, env })
  if (!repository) await kumi('software', 'create', REPOSITORY, '--title', 'A small experiment')
  await kumi('software', 'publish', directory, '--repo', REPOSITORY, '--to', `/${RELEASE}`, '--tag', RELEASE)
  await rm(directory, { recursive: true, force: true })
}

async function fetched(home: Home, doors: Doors, file: FileView, run: number): Promise<string> {
  const directory = join(home.path, 'plots')
  const path = join(directory, `run-${String(run).padStart(6, '0')}.svg`)
  await mkdir(directory, { recursive: true })
  // The list has copies that are still being made, too.
  const [whole] = Object.entries(file.pfns).find(([, { rse }]) => file.states[rse] === 'AVAILABLE')!
  await writeFile(path, await doors.read(whole))
  return path
}
