import { type Metadata, setMetadata, setTombstones } from '../catalog/index.ts'
import type { Tx } from '../kernel/index.ts'
import type { MadeByStart, Review, SeenInside } from '../workload/index.ts'
import { blockForNext } from './blocks.ts'
import type { ProductionDeps } from './deps.ts'
import { outputRefused } from './errors.ts'
import { REFUSED } from './failure.ts'
import { addInputs } from './input.store.ts'
import { isCounted } from './inspect.ts'
import * as store from './output.store.ts'
import { countStep, productionById, stepsOf } from './production.store.ts'
import type { Production, Step, StepRow } from './types.ts'

/** A copy that lies where no destination wants it is of use until the wanted ones are there. */
const KEEP_ELSEWHERE_MS = 86_400_000
const MOST_KNOWN = 200

interface Known {
  readonly production: Production
  readonly steps: readonly StepRow[]
}

/**
 * Looks at what a start made for a production, in the transaction that ends it: size and checksum were compared with the
 * storage before, and events counted in the file; here the file must be the one that was asked for, of a task that this job may end, with the events that
 * were asked for. Then it goes into its datablock and on to later steps. Throws output_refused: nothing of it is kept.
 */
export function outputReview(deps: Pick<ProductionDeps, 'addRules'>): Review {
  const known = new Map<number, Known>()
  // What these rows say of a started production never changes.
  const describe = async (tx: Tx, id: number): Promise<Known> => {
    const have = known.get(id)
    if (have) return have
    const found = { production: (await productionById(tx, id))!, steps: await stepsOf(tx, [id]) }
    if (known.size >= MOST_KNOWN) known.clear()
    known.set(id, found)
    return found
  }
  return async (tx, made) => {
    const task = await store.taskOfJob(tx, made.jobId)
    if (!task) return undefined
    if (task.state !== 'submitted' || task.jobId !== made.jobId)
      throw refused(`its task ${task.taskId} is ${task.state} without this job`)
    const { production, steps } = await describe(tx, task.productionId)
    const step = production.definition.steps[task.step]!
    const [file] = made.files
    if (!file || made.files.length > 1) throw refused(`${made.files.length} files instead of one`)
    if (file.bytes === 0n) throw refused('the file is empty')
    const inside = made.inside.get(`${file.scope}:${file.name}`)
    const events = eventsOf(step, task, made.metadata, inside)
    const { vo, now, jobId, attempt } = made
    await store.verifyTask(tx, now, task.taskId)
    await setMetadata(tx, {
      ...{ vo, now },
      changes: [{ scope: file.scope, name: file.name, meta: describing(production, step, task, events) }],
    })
    if (step.keep) {
      const tombstone = new Date(now.getTime() + KEEP_ELSEWHERE_MS)
      await setTombstones(tx, { replicas: [{ fileId: file.fileId, rseId: file.rseId }], tombstone })
    }
    const { fileId, scope, name, bytes } = file
    const { experiment, run, eventType } = task
    const taken = new Map<number, number>()
    for (const later of laterSteps(production, step)) {
      const input = { fileId, scope, name, bytes, experiment, run, eventType, events }
      const { id } = steps.find((row) => row.name === later.name)!
      taken.set(id, await addInputs(tx, now, id, [input]))
    }
    // From here on the other tasks of this step, and of later ones, wait for this one.
    const block = await blockForNext(tx, deps, { now, owner: production, step, stepId: task.stepId })
    await store.fillBlock(tx, block.id, 1)
    const output = { taskId: task.taskId, fileId, jobId, attempt, events, blockId: block.id }
    await store.insertOutput(tx, now, output)
    for (const [id, inputs] of taken) await countStep(tx, id, { inputs })
    await countStep(tx, task.stepId, { verified: 1, events: events ?? 0 })
    return [{ scope: block.scope, name: block.name }]
  }
}

const refused = (why: string) => outputRefused(`${REFUSED}${why}.`)

/** Steps that take what a step makes. */
export const laterSteps = ({ definition }: Pick<Production, 'definition'>, step: Step): Step[] =>
  definition.steps.filter(({ input }) => input && 'step' in input && input.step === step.name)

/**
 * The events of an output: as they were counted in the file where that is possible, else as its job tells them. Both must
 * agree where there are both, and fit what the task is for.
 */
function eventsOf(
  step: Step,
  task: store.TaskOfJob,
  metadata: MadeByStart['metadata'],
  inside: SeenInside | undefined,
): number | null {
  const { events: told, seed } = metadata
  if (isCounted(step)) {
    if (!inside) throw refused('nobody looked into the file')
    if ('problem' in inside) throw refused(inside.problem)
    if (told !== undefined && told !== inside.entries)
      throw refused(`the file holds ${inside.entries} events, where its job tells ${String(told)}`)
  }
  const events = inside && 'entries' in inside ? inside.entries : told
  if (seed !== undefined && step.kind === 'generate' && String(seed) !== String(task.taskId))
    throw refused(`it was made with the seed ${String(seed)} instead of ${task.taskId}`)
  if (events === undefined && step.events === 'any') return null
  if (typeof events !== 'number' || !Number.isSafeInteger(events) || events < 0)
    throw refused('its job does not tell the number of events in kumi-metadata.json')
  if (step.events === 'any' || task.events === null) return events
  const wanted = Number(task.events)
  if (step.events === 'exact' ? events !== wanted : events > wanted)
    throw refused(
      `${events} events, where ${step.events === 'exact' ? '' : 'at most '}${wanted} were to be there`,
    )
  return events
}

/** What the catalogue knows of a file, so that it is found by it. */
function describing(
  { definition }: Pick<Production, 'definition'>,
  step: Step,
  task: store.TaskOfJob,
  events: number | null,
): Metadata {
  const { name, release, conditions, campaign, energy } = definition
  const of = (key: string, value: number | string | null) => (value === null ? {} : { [key]: value })
  return {
    ...{ production: name, step: step.name, task: Number(task.taskId), level: step.level },
    ...{ release, conditions, campaign, energy },
    dataType: definition.steps[0]!.kind === 'generate' ? 'MC' : 'Data',
    ...of('experiment', task.experiment),
    ...of('run', task.run),
    ...of('eventType', task.eventType),
    ...of('events', events),
    ...(step.kind === 'generate' && { seed: Number(task.taskId) }),
  }
}
