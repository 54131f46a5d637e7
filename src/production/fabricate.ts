import { attach } from '../catalog/index.ts'
import type { Tx } from '../kernel/index.ts'
import { type JobItem, type NewJobs, sitesOfFiles, submitJobs } from '../workload/index.ts'
import { BLOCK_FILES, blockForNext } from './blocks.ts'
import type { ProductionDeps } from './deps.ts'
import type { InHand } from './follow.ts'
import { groupInputs } from './group.ts'
import { freeInputs, takeInputs } from './input.store.ts'
import { fillBlock } from './output.store.ts'
import { countStep } from './production.store.ts'
import * as store from './task.store.ts'
import type { Production, Step, StepRow } from './types.ts'

/** Jobs that wait for a pilot: as many as there may be, however few run, and so many for each that runs. */
const LEAST_WAITING = 500
const WAITING_PER_RUNNING = 2
/** Tasks made in one transaction. */
export const BATCH = 500
const FREE_AT_ONCE = 5000

export interface Work {
  readonly now: Date
  readonly production: Production
  readonly step: Step
  readonly row: StepRow
  readonly inHand: InHand
  /** The step gets no more inputs than it has. */
  readonly flush: boolean
}

/** Makes tasks of a step as they are needed, and submits those that are ready; returns how many rows it moved. */
export async function fabricate(tx: Tx, deps: ProductionDeps, work: Work): Promise<number> {
  if (work.step.kind === 'broadcast') return broadcast(tx, deps, work)
  const { production, row, inHand } = work
  const room = Math.max(LEAST_WAITING, WAITING_PER_RUNNING * inHand.running) - inHand.waiting
  const ready = await store.readyCount(tx, row.id)
  const scouting = row.n === 0 && !production.scouted
  const wanted = Math.min(
    ...[BATCH, room - ready],
    ...(scouting ? [production.definition.scouts - Number(row.tasks)] : []),
  )
  const made = wanted > 0 ? await makeTasks(tx, deps, work, wanted, scouting) : 0
  return made + (room > 0 ? await submitReady(tx, deps, work, Math.min(BATCH, room)) : 0)
}

async function makeTasks(
  tx: Tx,
  deps: ProductionDeps,
  { now, production, step, row, flush }: Work,
  most: number,
  scout: boolean,
): Promise<number> {
  if (step.kind === 'generate') {
    const { eventsPerJob } = step
    const cut = { productionId: production.id, stepId: row.id, eventsPerJob, most, scout }
    const tasks = await store.cutTasks(tx, now, cut)
    if (tasks > 0) await countStep(tx, row.id, { tasks })
    return tasks
  }
  if (row.inputs === row.inputsTaken) return 0
  const free = await freeInputs(tx, row.id, FREE_AT_ONCE)
  const ids = free.map(({ fileId }) => fileId)
  const sites = await sitesOfFiles(tx, production.vo, deps.rses, ids)
  const placed = free.map((input) => ({ ...input, sites: sites.get(input.fileId) ?? [] }))
  const groups = groupInputs(step, placed, now, flush).slice(0, most)
  const inputs = groups.map((group) => ({ inputs: group.map(({ fileId }) => fileId) }))
  const made = await store.groupTasks(tx, now, { stepId: row.id, scout, groups: inputs })
  if (made.tasks > 0) await countStep(tx, row.id, { tasks: made.tasks, inputsTaken: made.inputs })
  return made.tasks
}

/** Turns tasks into jobs: task, job and the tie between them are one transaction, so that no task has two. */
async function submitReady(
  tx: Tx,
  deps: ProductionDeps,
  { now, production, step, row }: Work,
  most: number,
): Promise<number> {
  const ready = await store.lockReady(tx, now, row.id, most)
  if (ready.length === 0) return 0
  const ids = ready.map(({ id }) => id)
  const inputs = new Map<bigint, { scope: string; name: string }[]>()
  if (step.input)
    for (const { taskId, scope, name } of await store.inputsOfTasks(tx, ids))
      inputs.set(taskId, [...(inputs.get(taskId) ?? []), { scope, name }])
  const { vo, accountId, account, group, definition } = production
  const { scope, name } = await blockForNext(tx, deps, { now, owner: production, step, stepId: row.id })
  const groups = [ready.filter((task) => task.scout), ready.filter((task) => !task.scout)]
  const jobs = groups
    .filter((tasks) => tasks.length > 0)
    .map(
      (tasks): NewJobs => ({
        name: `${definition.name}.${step.name}${tasks.length === 1 ? `_${tasks[0]!.id}` : '_%n'}`,
        ...{ jobGroup: `production-${production.id}`, jobType: 'Production', demand: step.demand },
        // The first ones decide whether the others are made.
        priority: tasks[0]!.scout ? 10 : definition.priority,
        spec: {
          ...{ executable: step.program, arguments: step.arguments, files: step.files },
          environment: { ...ENVIRONMENT, ...step.environment },
          ...(definition.software && { software: definition.software }),
          ...{ inputSandboxes: [], outputSandbox: [], standardOutput: 'std.out', standardError: 'std.err' },
          outputs: [{ pattern: step.output, dataset: { scope, name } }],
          ...{ destination: null, readFromAfar: step.readFromAfar, tries: 1, jdl: null },
        },
        items: tasks.map(
          (task): JobItem => ({
            n: Number(task.id),
            parameters: parametersOf(production, step, task),
            inputs: inputs.get(task.id) ?? [],
          }),
        ),
      }),
    )
  const made = await submitJobs(tx, { now, by: { vo, accountId, account, group }, jobs })
  const order = groups.flat()
  await store.giveJobs(
    tx,
    now,
    order.map(({ id }, i) => ({ taskId: id, jobId: made[i]! })),
  )
  await countStep(tx, row.id, { jobs: made.length })
  return made.length
}

/** What every program finds in its environment. */
const ENVIRONMENT = {
  KUMI_PRODUCTION: '%(production)s',
  KUMI_RELEASE: '%(release)s',
  KUMI_CONDITIONS: '%(conditions)s',
  KUMI_SEED: '%(seed)s',
  KUMI_EVENTS: '%(events)s',
}

/** By small letters: what is written between %( and )s is looked up so. */
function parametersOf(
  { definition }: Production,
  step: Step,
  { id, experiment, run, eventType, events, firstEvent }: store.Task,
): Record<string, string> {
  const { name, release, conditions, campaign, energy } = definition
  const text = (value: bigint | number | string | null) => (value === null ? '' : String(value))
  return {
    ...{ experiment: text(experiment), run: text(run), eventtype: text(eventType), events: text(events) },
    ...{
      firstevent: text(firstEvent),
      seed: String(id),
      task: String(id),
      production: name,
      step: step.name,
    },
    ...{ release, conditions, campaign, energy },
  }
}

/** Files of a broadcast step come into datablocks whose rules ask for a copy at every target; no job is needed. */
async function broadcast(
  tx: Tx,
  deps: ProductionDeps,
  { now, production, step, row }: Work,
): Promise<number> {
  const free = await freeInputs(tx, row.id, BATCH)
  if (free.length === 0) return 0
  const block = await blockForNext(tx, deps, { now, owner: production, step, stepId: row.id })
  const some = free.slice(0, BLOCK_FILES - block.files).map(({ fileId }) => fileId)
  const taken = new Set((await takeInputs(tx, row.id, some)).map(({ fileId }) => fileId))
  const dids = free.filter(({ fileId }) => taken.has(fileId)).map(({ scope, name }) => ({ scope, name }))
  const { vo, accountId } = production
  await attach(tx, { vo, now, accountId, attachments: [{ scope: block.scope, name: block.name, dids }] })
  await fillBlock(tx, block.id, dids.length)
  await countStep(tx, row.id, { inputsTaken: dids.length })
  return dids.length
}
