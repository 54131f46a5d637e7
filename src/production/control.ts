import { publish, transaction } from '../kernel/index.ts'
import { holdJobs, killJobs, type Order, type Ordered, releaseJobs } from '../workload/index.ts'
import { makeContainers } from './blocks.ts'
import { locked } from './define.ts'
import type { ProductionDeps } from './deps.ts'
import { productionInState } from './errors.ts'
import * as store from './production.store.ts'
import * as tasks from './task.store.ts'

interface Asked {
  readonly vo: string
  readonly now: Date
  readonly name: string
  /** Who asks. */
  readonly by: string
}

/** Says that a production may run, or that it may not: nothing more is made of it then. */
export async function judgeProduction(
  { db }: Pick<ProductionDeps, 'db'>,
  { vo, now, name, by, accept, reason }: Asked & { accept: boolean; reason: string },
): Promise<void> {
  await transaction(db, async (tx) => {
    const { id } = await locked(tx, vo, name)
    const validation = accept ? 'accepted' : 'rejected'
    await store.changeProduction(tx, now, id, { validation, checkedBy: by, ...(reason && { reason }) })
    await publish(tx, now, [{ vo, kind: `production.${validation}`, subject: name, payload: { by, reason } }])
  })
}

export const ORDERS = ['start', 'hold', 'retry', 'finish', 'cancel'] as const
export type ProductionOrder = (typeof ORDERS)[number]

/**
 * Carries out an order: start (or go on), hold, retry what failed, finish (take no new inputs) and cancel. Throws
 * production_in_state with what to do first.
 */
export async function orderProduction(
  deps: Pick<ProductionDeps, 'db'>,
  asked: Asked & { order: ProductionOrder; reason: string },
): Promise<{ tasks: number }> {
  const { db } = deps
  const { vo, now, name, by, order, reason } = asked
  const done = await transaction(db, async (tx) => {
    const production = await locked(tx, vo, name)
    const { id, life, validation } = production
    const steps = (await store.stepsOf(tx, [id])).map((step) => step.id)
    const atWork = life === 'active' || life === 'finishing'
    let count = 0
    if (order === 'start' && life === 'defined') {
      if (validation !== 'accepted')
        throw productionInState(
          `Production ${name} is ${validation}; somebody must validate it before it starts.`,
        )
      await makeContainers(tx, now, production)
      await store.changeProduction(tx, now, id, {
        life: 'active',
        operation: 'normal',
        reason: '',
        started: true,
      })
    } else if (order === 'start' && atWork) {
      await store.changeProduction(tx, now, id, { operation: 'normal', reason: '' })
    } else if (order === 'hold' && atWork) {
      await store.changeProduction(tx, now, id, { operation: 'held', reason: reason || `Held by ${by}` })
    } else if (order === 'retry' && atWork) {
      for (const { stepId, n } of await tasks.retryFailed(tx, now, steps)) {
        await store.countStep(tx, stepId, { failed: -n })
        count += n
      }
      if (production.operation === 'troubled')
        await store.changeProduction(tx, now, id, { operation: 'normal', reason: '' })
    } else if (order === 'finish' && life === 'active') {
      await store.changeProduction(tx, now, id, { life: 'finishing' })
    } else if (order === 'cancel' && life !== 'completed' && life !== 'cancelled') {
      const what = reason || `Cancelled by ${by}`
      await store.changeProduction(tx, now, id, { life: 'cancelled', reason: what, ended: true })
    } else throw productionInState(`Production ${name} is ${life}; it is not possible to ${order} it.`)
    await publish(tx, now, [
      { vo, kind: `production.${order}`, subject: name, payload: { by, tasks: count } },
    ])
    return { production, steps, count }
  })
  const { production, steps } = done
  if (order === 'hold') await everyJob(deps, steps, asked, holdJobs)
  if (order === 'start' && production.operation === 'held') await everyJob(deps, steps, asked, releaseJobs)
  if (order === 'cancel') return { tasks: await cancelTasks(deps, steps, asked) }
  return { tasks: done.count }
}

const PAGE = 1000

/** Orders all jobs in hand, page by page; a job that is in another state by now is left alone. */
async function everyJob(
  { db }: Pick<ProductionDeps, 'db'>,
  steps: readonly number[],
  { vo, now, by }: Asked,
  order: (db: ProductionDeps['db'], order: Order) => Promise<Ordered>,
): Promise<void> {
  for (let after = -1n; ; ) {
    const page = await tasks.jobsInHand(db, steps, after, PAGE)
    if (page.length === 0) return
    const ids = page.map(({ jobId }) => jobId)
    await order(db, { vo, now, ids, source: by })
    after = ids.at(-1)!
  }
}

/** The tasks go first: what their jobs still make is refused from then on. */
async function cancelTasks(
  deps: Pick<ProductionDeps, 'db'>,
  steps: readonly number[],
  asked: Asked,
): Promise<number> {
  const { db } = deps
  const jobs: bigint[] = []
  for (let after = -1n; ; ) {
    const page = await tasks.jobsInHand(db, steps, after, PAGE)
    if (page.length === 0) break
    jobs.push(...page.map(({ jobId }) => jobId))
    after = jobs.at(-1)!
  }
  const given = await transaction(db, async (tx) => {
    const found = await tasks.giveUpTasks(tx, asked.now, steps, `Cancelled by ${asked.by}`)
    for (const { stepId, n } of found) await store.countStep(tx, stepId, { failed: n })
    return found.reduce((sum, { n }) => sum + n, 0)
  })
  for (let at = 0; at < jobs.length; at += PAGE)
    await killJobs(db, { vo: asked.vo, now: asked.now, ids: jobs.slice(at, at + PAGE), source: asked.by })
  return given
}
