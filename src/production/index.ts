/** Productions: what is to be made, the tasks that make it, and what counts as made. */

export { BLOCK_FILES } from './blocks.ts'
export { outputReview } from './commit.ts'
export { judgeProduction, ORDERS, orderProduction, type ProductionOrder } from './control.ts'
export { checkDefinition, defineProduction, extendProduction, scopesOf } from './define.ts'
export { filesNamed, type ReadDefinition } from './definition.ts'
export type { ProductionDeps } from './deps.ts'
export * as productionErrors from './errors.ts'
export { fileOnceRead } from './input.store.ts'
export { type InspectDeps, outputInspection } from './inspect.ts'
export { type MadeOf, makingOf } from './output.store.ts'
export type { ListedProduction } from './read.store.ts'
export {
  listProductions,
  type ProductionLine,
  type ProductionView,
  type StepLine,
  showProduction,
  tasksOfProduction,
} from './read.ts'
export type * from './types.ts'
export { KINDS } from './types.ts'
export { productionWorkers } from './workers.ts'
