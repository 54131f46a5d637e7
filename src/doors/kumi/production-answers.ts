import { Type } from 'typebox'
import type { listProductions, ProductionView, Production as Row } from '../../production/index.ts'
import { literals } from './literals.ts'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])
const list = <T extends Parameters<typeof Type.Array>[0]>(of: T) => Type.Array(of)

const facts = {
  id: count,
  name: text,
  owner: text,
  group: text,
  life: literals('defined', 'active', 'finishing', 'completed', 'cancelled'),
  validation: literals('unchecked', 'accepted', 'rejected'),
  operation: literals('normal', 'held', 'troubled'),
  /** Why the operation is what it is. */
  reason: text,
  checkedBy: maybe(text),
  /** Whether its first tasks have shown that the others are worth making. */
  scouted: Type.Boolean(),
  createdAt: time,
  startedAt: maybe(time),
  endedAt: maybe(time),
  description: text,
  release: text,
  conditions: text,
  campaign: text,
  energy: text,
  /** From 0 to 1. */
  progress: Type.Number(),
  eventsVerified: count,
  /** null: it takes the files that appear. */
  eventsWanted: maybe(count),
  tasks: count,
  verified: count,
  failed: count,
}

export const ProductionLine = Type.Object({
  ...facts,
  /** Failed tasks of those that are over. */
  failRate: maybe(Type.Number()),
})

export const ProductionShown = Type.Object({
  ...facts,
  cells: count,
  scope: text,
  destinations: list(Type.Object({ storages: text, share: count, copies: count })),
  steps: list(
    Type.Object({
      id: count,
      name: text,
      kind: text,
      dataset: text,
      progress: Type.Number(),
      tasks: count,
      waiting: count,
      verified: count,
      failed: count,
      jobs: count,
      jobsFailed: count,
      eventsVerified: count,
      inputs: count,
      inputsTaken: count,
      failRate: maybe(Type.Number()),
      jobFailRate: maybe(Type.Number()),
      blocks: list(Type.Object({ name: text, destination: count, files: count })),
      failures: list(Type.Object({ failure: text, tasks: count, reason: text })),
    }),
  ),
  /** As it was written. */
  source: text,
})

export const TaskShown = Type.Object({
  id: count,
  step: text,
  experiment: maybe(count),
  run: maybe(count),
  eventType: maybe(text),
  events: maybe(count),
  scout: Type.Boolean(),
  state: text,
  job: maybe(count),
  tries: count,
  failure: maybe(text),
  reason: text,
})

const factsOf = (production: Row, progress: ProductionView['progress']) => {
  const { id, name, account, group, definition, life, validation, operation, reason, checkedBy } = production
  const { scouted, createdAt, startedAt, endedAt } = production
  const { description, release, conditions, campaign, energy } = definition
  const { fraction, ...counts } = progress
  return {
    ...{ id, name, owner: account, group, life, validation, operation, reason, checkedBy, scouted },
    ...{ createdAt, startedAt, endedAt, description, release, conditions, campaign, energy },
    ...{ ...counts, progress: fraction },
  }
}

export const lineAnswer = ({
  production,
  progress,
  failRate,
}: Awaited<ReturnType<typeof listProductions>>[number]) => ({ ...factsOf(production, progress), failRate })

export const shownAnswer = ({ production, progress, cells, steps, source }: ProductionView) => ({
  ...factsOf(production, progress),
  ...{ cells: cells.cells, scope: production.definition.scope, source },
  destinations: [...production.definition.destinations],
  steps: steps.map((step) => ({
    ...{ id: step.id, name: step.name, kind: step.kind, progress: step.fraction },
    dataset: `${production.definition.scope}:${production.name}.${step.name}`,
    ...{ tasks: step.tasks, verified: step.verified, failed: step.failed },
    waiting: step.tasks - step.verified - step.failed,
    ...{ jobs: step.jobs, jobsFailed: step.jobsFailed, eventsVerified: step.eventsVerified },
    ...{ inputs: step.inputs, inputsTaken: step.inputsTaken },
    ...{ failRate: step.failRate, jobFailRate: step.jobFailRate },
    blocks: step.blocks.map(({ name, destination, files }) => ({ name, destination, files })),
    failures: step.failures.map(({ failure, tasks, reason }) => ({ failure, tasks, reason })),
  })),
})
