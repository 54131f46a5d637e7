import {
  AT_ONCE,
  type Did,
  detach,
  didsByIds,
  replicasOfFiles,
  setAvailability,
  setTombstones,
} from '../catalog/index.ts'
import { isGridError, publish, type Tx, transaction, type Worker } from '../kernel/index.ts'
import { laterSteps } from './commit.ts'
import type { ProductionDeps } from './deps.ts'
import { BATCH, fabricate } from './fabricate.ts'
import { followJobs, type InHand } from './follow.ts'
import { inputCollector } from './inputs.ts'
import { noteGivenUp, usedUp } from './output.store.ts'
import * as store from './production.store.ts'
import { type Progress, progressOf, stepsDone } from './progress.ts'
import { scoutTotals } from './task.store.ts'
import type { Production, StepRow } from './types.ts'

const LOOK_MS = 2_000
/** Looking at a production that jobs end for takes at most this part of the time, whatever its size. */
const LOOK_PART = 0.1
/** So many scouts of ten must have succeeded. */
const SCOUTS_GOOD = 0.8
/** A production that fails more than this is stopped: something is wrong that no retry mends. */
const TROUBLE = { tasks: 20, rate: 0.2 }

export function productionWorkers(deps: ProductionDeps): Worker[] {
  const { db, log } = deps
  const collect = inputCollector(deps)
  /** When each may be looked at again. */
  const due = new Map<number, number>()
  return [
    {
      name: 'production-inputs',
      wakeOn: ['catalog', 'production'],
      async tick(now) {
        for (const { id } of await store.productionsAtWork(db)) {
          const production = await store.productionById(db, id)
          if (production) await collect(production, now)
        }
        return { changed: 0, nextWake: null }
      },
    },
    {
      name: 'productions',
      wakeOn: ['production', 'job'],
      async tick(now) {
        const atWork = await store.productionsAtWork(db)
        for (const id of due.keys()) if (!atWork.some((one) => one.id === id)) due.delete(id)
        let changed = 0
        let next = now.getTime() + LOOK_MS
        for (const { id } of atWork) {
          const at = due.get(id) ?? 0
          if (at > now.getTime()) {
            next = Math.min(next, at)
            continue
          }
          const began = performance.now()
          try {
            const moved = await workOn(deps, id, now)
            changed += moved
            // One that has more to do goes on as soon as the others had their turn.
            const rest = (performance.now() - began) / (moved > 0 ? 1 : LOOK_PART)
            due.set(id, now.getTime() + rest)
          } catch (error) {
            // One that cannot go on must not keep the others from it.
            if (!isGridError(error) || error.kind === 'transient') throw error
            log.warn({ err: error, production: id }, 'a production cannot go on')
            await transaction(db, (tx) =>
              store.changeProduction(tx, now, id, { operation: 'troubled', reason: error.message }),
            )
          }
        }
        return { changed, nextWake: atWork.length > 0 ? new Date(next) : null }
      },
    },
  ]
}

/** One round for one production: what became of its jobs, then new tasks, then what follows from the counts. */
export async function workOn(deps: ProductionDeps, id: number, now: Date): Promise<number> {
  const { db } = deps
  const seen = await store.productionById(db, id)
  if (!seen) return 0
  const inHand = new Map<number, InHand>()
  let changed = 0
  for (const step of await store.stepsOf(db, [id])) {
    const found = await followJobs(deps, seen, step, now)
    inHand.set(step.id, found)
    changed += found.changed
  }
  return transaction(db, async (tx) => {
    const production = await store.takeProduction(tx, id)
    if (!production) return changed
    const rows = await store.stepsOf(tx, [id])
    const cells = await store.cellTotals(tx, id)
    const done = stepsDone(production, rows, cells)
    if (production.operation === 'normal' && production.validation === 'accepted') {
      for (const row of rows) {
        const step = production.definition.steps[row.n]!
        const source = step.input && 'step' in step.input ? step.input.step : undefined
        const flush = source === undefined ? production.life === 'finishing' : (done.get(source) ?? false)
        const work = { now, production, step, row, inHand: inHand.get(row.id)!, flush }
        changed += await fabricate(tx, deps, work)
      }
    }
    const { over, progress } = await conclude(tx, now, production)
    // After the look that found all to be done: what the last task used is among what is given up.
    const gone = await cleanUp(tx, now, production, rows)
    if (over && gone === 0) await complete(tx, now, production, progress)
    return changed + gone
  })
}

/** What the counts say of the whole: scouts that decide, trouble, progress in events, and whether nothing is left to do. */
async function conclude(
  tx: Tx,
  now: Date,
  production: Production,
): Promise<{ over: boolean; progress: Progress }> {
  const { id, vo, name, operation, scouted, definition } = production
  const rows = await store.stepsOf(tx, [id])
  const cells = await store.cellTotals(tx, id)
  const tell = (kind: string, payload: Record<string, unknown>) =>
    publish(tx, now, [{ vo, kind: `production.${kind}`, subject: name, payload }])
  const trouble = async (reason: string): Promise<void> => {
    if (operation !== 'normal') return
    await store.changeProduction(tx, now, id, { operation: 'troubled', reason })
    await tell('troubled', { reason })
  }
  const done = stepsDone(production, rows, cells)
  const [first] = rows
  const over =
    definition.steps[0]!.kind === 'generate'
      ? cells.cut === cells.events
      : production.life === 'finishing' && first!.inputs === first!.inputsTaken
  if (!scouted)
    await scout(tx, {
      now,
      production,
      first: first!,
      over,
      trouble,
      tell,
    })
  for (const { name: step, failed, verified } of rows) {
    const rate = Number(failed) / Math.max(1, Number(failed + verified))
    if (Number(failed) >= TROUBLE.tasks && rate > TROUBLE.rate)
      await trouble(
        `Step ${step}: ${failed} of ${failed + verified} tasks failed. See "kumi prod show ${name}", then retry or cancel.`,
      )
  }
  const progress = progressOf(rows, cells)
  if (await store.tellProgress(tx, id, Math.floor(progress.fraction * 20)))
    await tell('progress', { ...progress })
  return { over: [...done.values()].every(Boolean), progress }
}

async function complete(tx: Tx, now: Date, { id, vo, name }: Production, progress: Progress): Promise<void> {
  const end = { life: 'completed', operation: 'normal', reason: '', ended: true } as const
  await store.changeProduction(tx, now, id, end)
  await publish(tx, now, [{ vo, kind: 'production.completed', subject: name, payload: { ...progress } }])
}

async function scout(
  tx: Tx,
  input: {
    now: Date
    production: Production
    first: StepRow
    /** There will be no more tasks than there are. */
    over: boolean
    trouble: (reason: string) => Promise<void>
    tell: (kind: string, payload: Record<string, unknown>) => Promise<void>
  },
): Promise<void> {
  const { now, production, first, over, trouble, tell } = input
  const { scouts } = production.definition
  const { all, verified, failed, why } = await scoutTotals(tx, first.id)
  if (verified + failed < all || (all < scouts && !over)) return
  if (verified >= SCOUTS_GOOD * all) {
    await store.changeProduction(tx, now, production.id, { scouted: true })
    await tell('scouted', { scouts: all, verified })
  } else
    await trouble(
      `${failed} of ${all} scouts failed (${why}). Correct what is wrong, then "kumi prod retry ${production.name}", or cancel it.`,
    )
}

/** Intermediates that every later step has used to the end are given up: nothing else refers to their copies. */
async function cleanUp(tx: Tx, now: Date, production: Production, rows: readonly StepRow[]): Promise<number> {
  let gone = 0
  for (const row of rows) {
    const step = production.definition.steps[row.n]!
    if (step.keep) continue
    const names = new Set(laterSteps(production, step).map(({ name }) => name))
    const later = rows.filter(({ name }) => names.has(name)).map(({ id }) => id)
    const used = await usedUp(tx, row.id, later, BATCH)
    const fileIds = used.map(({ fileId }) => fileId)
    if (fileIds.length === 0) continue
    await leaveBlocks(tx, now, production.vo, used)
    await setAvailability(tx, { now, fileIds, availability: 'DELETED' })
    const copies = await replicasOfFiles(tx, fileIds)
    await setTombstones(tx, { replicas: copies, tombstone: AT_ONCE })
    await noteGivenUp(tx, now, fileIds)
    gone += fileIds.length
  }
  return gone
}

/** A datablock lists what can be had; who took a file out of it before has done no harm. */
async function leaveBlocks(
  tx: Tx,
  now: Date,
  vo: string,
  used: readonly { fileId: bigint; blockScope: string; block: string }[],
): Promise<void> {
  const names = new Map(
    (
      await didsByIds(
        tx,
        used.map(({ fileId }) => fileId),
      )
    ).map((did) => [did.id, did]),
  )
  const blocks = new Map<string, Did & { dids: Did[] }>()
  for (const { fileId, blockScope: scope, block: name } of used) {
    const left = blocks.get(`${scope}:${name}`) ?? { scope, name, dids: [] }
    left.dids.push(names.get(fileId)!)
    blocks.set(`${scope}:${name}`, left)
  }
  for (const left of blocks.values()) await detach(tx, { vo, now, ...left, ignoreMissing: true })
}
