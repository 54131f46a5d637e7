import { type FoundDid, getMetadata, type MetadataValue, searchDids } from '../catalog/index.ts'
import { transaction, wake } from '../kernel/index.ts'
import type { ProductionDeps } from './deps.ts'
import { addInputs, type NewInput, unseen } from './input.store.ts'
import * as store from './production.store.ts'
import type { Production, Step, StepRow } from './types.ts'

/** Files come into the catalogue in transactions that may be as old as this. */
const OVERLAP_MS = 3_600_000
/** Metadata may be set long after a file was registered: so often everything is looked at. */
const WHOLE_EVERY_MS = 600_000
/** Not asked more often, however much is registered. */
const LEAST_MS = 1_000
const PAGE = 1000

/**
 * Finds files that appeared for steps that take them by their metadata. What was seen is never taken again, so looking
 * twice, or in two processes, does no harm.
 */
export function inputCollector({ db }: Pick<ProductionDeps, 'db'>) {
  const wholeAt = new Map<number, number>()
  return async (production: Production, now: Date): Promise<number> => {
    if (production.life !== 'active' || production.operation === 'held') return 0
    let added = 0
    for (const row of await store.stepsOf(db, [production.id])) {
      const step = production.definition.steps[row.n]!
      if (!step.input || !('scope' in step.input)) continue
      if (row.lookedAt && row.lookedAt.getTime() + LEAST_MS > now.getTime()) continue
      const whole = !row.lookedAt || (wholeAt.get(row.id) ?? 0) + WHOLE_EVERY_MS <= now.getTime()
      const since = whole ? null : new Date(row.lookedAt!.getTime() - OVERLAP_MS)
      added += await look(production, step, row, now, since)
      if (whole) wholeAt.set(row.id, now.getTime())
    }
    return added
  }

  async function look(
    { vo }: Production,
    { input }: Step,
    row: StepRow,
    now: Date,
    since: Date | null,
  ): Promise<number> {
    if (!input || !('scope' in input)) return 0
    const recent = since ? [{ key: 'created_at', operator: '>=' as const, value: since.toISOString() }] : []
    const search = { vo, scope: input.scope, filter: [[...input.where, ...recent]], type: 'file' as const }
    let added = 0
    for await (const page of searchDids(db, search)) {
      const ids = page.map(({ id }) => id)
      const fresh = new Set((await unseen(db, row.id, ids)).map(({ id }) => id))
      const files = page.filter(({ id }) => fresh.has(id))
      for (let at = 0; at < files.length; at += PAGE) {
        const inputs = await described(vo, files.slice(at, at + PAGE))
        added += await transaction(db, async (tx) => {
          const n = await addInputs(tx, now, row.id, inputs)
          await store.countStep(tx, row.id, { inputs: n })
          return n
        })
      }
    }
    await transaction(db, async (tx) => {
      await store.noteLook(tx, now, row.id)
      if (added > 0) await wake(tx, 'production')
    })
    return added
  }

  async function described(vo: string, files: readonly FoundDid[]): Promise<NewInput[]> {
    const known = await getMetadata(db, { vo, dids: files })
    return files.map(({ id, scope, name, bytes }, i) => {
      const { meta, columns } = known[i]!
      const eventType = meta.eventType
      return {
        ...{ fileId: id, scope, name, bytes },
        experiment: whole(meta.experiment),
        run: whole(meta.run ?? (columns.run_number as MetadataValue)),
        eventType: typeof eventType === 'string' ? eventType : null,
        events: whole(columns.events as MetadataValue),
      }
    })
  }
}

const whole = (value: MetadataValue | undefined): number | null => {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null
}
