import { isGridError, publish, type Tx, transaction } from '../kernel/index.ts'
import type { Software } from '../software/index.ts'
import type { JobFile, Submitter } from '../workload/index.ts'
import { takenNames } from './blocks.ts'
import { type ReadDefinition, readDefinition, readExtension } from './definition.ts'
import type { ProductionDeps } from './deps.ts'
import { invalidDefinition, productionExists, productionInState, productionMissing } from './errors.ts'
import * as store from './production.store.ts'
import type { Definition, Production } from './types.ts'

interface CheckDeps extends Pick<ProductionDeps, 'rses'> {
  readonly software: Pick<Software, 'pin'>
}

/**
 * Reads and checks a definition against the grid, and changes nothing: its software is the tree that the name means now.
 * Throws bad_yaml, invalid_definition, software_no_such_repository, software_no_such_revision.
 */
export async function checkDefinition(
  { rses, software }: CheckDeps,
  vo: string,
  source: string,
  files: readonly JobFile[],
): Promise<ReadDefinition> {
  const read = readDefinition(source, files)
  const { destinations, steps } = read.definition
  const expressions = [
    ...destinations.map(({ storages, copies }, i) => ({
      ...{ field: `destinations[${i}].storages`, storages, copies },
    })),
    ...steps.flatMap(({ targets }, i) =>
      targets.map((storages) => ({ field: `steps[${i}].targets`, storages, copies: 1 })),
    ),
  ]
  for (const { field, storages, copies } of expressions) {
    const found = await rses.match(vo, storages).catch((error) => {
      if (!isGridError(error)) throw error
      throw invalidDefinition(`${field}: ${error.message}`, {
        problems: [{ line: 0, field, message: error.message }],
      })
    })
    if (found.length >= copies) continue
    const message = `${copies} copies are asked for, but "${storages}" matches ${found.length} storages`
    throw invalidDefinition(`${field}: ${message}.`, { problems: [{ line: 0, field, message }] })
  }
  if (!read.software) return read
  return { ...read, definition: { ...read.definition, software: await software.pin(vo, read.software) } }
}

/**
 * Keeps a definition. One that never started is replaced, and then has to be validated anew. Throws
 * production_exists.
 */
export async function defineProduction(
  { db }: Pick<ProductionDeps, 'db'>,
  input: { now: Date; by: Submitter; source: string; read: ReadDefinition },
): Promise<Production> {
  const { now, by, source, read } = input
  const { definition, cells } = read
  const { name } = definition
  return transaction(db, async (tx) => {
    await store.dropUnstarted(tx, by.vo, name)
    const owner = { vo: by.vo, accountId: by.accountId, account: by.account, group: by.group }
    const taken = await takenNames(tx, { ...owner, definition })
    if (taken.length > 0)
      throw productionExists(`${taken[0]} exists already; choose another name for the production.`)
    const id = await store.insertProduction(tx, now, { ...owner, definition, source })
    if (id === undefined)
      throw productionExists(
        `Production ${name} has started; it can be extended, but not changed. Choose another name.`,
      )
    await store.putCells(tx, id, cells)
    await publish(tx, now, [
      { vo: by.vo, kind: 'production.defined', subject: name, payload: { by: by.account } },
    ])
    return named(tx, by.vo, name)
  })
}

/**
 * Raises the events of cells, or adds cells; the numbers are totals, so that doing it twice is doing it once. Throws
 * production_in_state, invalid_definition.
 */
export async function extendProduction(
  { db }: Pick<ProductionDeps, 'db'>,
  input: { vo: string; now: Date; name: string; source: string },
): Promise<{ changed: number }> {
  const { vo, now, name, source } = input
  return transaction(db, async (tx) => {
    const production = await locked(tx, vo, name)
    const { definition, life, id } = production
    if (life === 'cancelled' || life === 'finishing')
      throw productionInState(`Production ${name} is ${life}; it cannot be extended.`)
    if (definition.steps[0]!.kind !== 'generate')
      throw productionInState(`Production ${name} takes the files that appear; it has no cells to extend.`)
    const cells = readExtension(source, definition)
    const above = await store.cellAbove(tx, id, cells)
    if (above)
      throw invalidDefinition(
        `Experiment ${above.experiment}, run ${above.run}, ${above.eventType} has ${above.events} events already; give the new total, which is not less.`,
      )
    const changed = await store.putCells(tx, id, cells)
    if (changed > 0) {
      if (life === 'completed') await store.changeProduction(tx, now, id, { life: 'active' })
      await publish(tx, now, [
        { vo, kind: 'production.extended', subject: name, payload: { cells: changed } },
      ])
    }
    return { changed }
  })
}

/** Throws production_not_found. */
export async function locked(tx: Tx, vo: string, name: string): Promise<Production> {
  const found = await store.lockProduction(tx, vo, name)
  if (!found) throw missing(name)
  return found
}

async function named(tx: Tx, vo: string, name: string): Promise<Production> {
  return (await store.productionByName(tx, vo, name))!
}

export const missing = (name: string) => productionMissing(`There is no production "${name}".`)

/** Scopes that a production writes to and reads from. */
export function scopesOf({ scope, steps }: Definition): { written: string; read: string[] } {
  const read = steps.flatMap(({ input }) => (input && 'scope' in input ? [input.scope] : []))
  return { written: scope, read: [...new Set(read)] }
}
