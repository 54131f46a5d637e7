import { Type } from 'typebox'
import {
  KINDS,
  type ProductionLine as Line,
  type ListedProduction,
  type ProductionView,
  type StepLine as Step,
} from '../../production/index.ts'
import { literals } from './literals.ts'

const text = Type.String()
const count = Type.Integer()
const time = Type.String({ format: 'date-time' })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(of: T) => Type.Union([of, Type.Null()])
const list = <T extends Parameters<typeof Type.Array>[0]>(of: T) => Type.Array(of)

const pace = {
  /** Failed tasks of those that are over: their last attempts. */
  failRate: maybe(Type.Number()),
  /** Failed jobs of all that are over: every attempt. */
  jobFailRate: maybe(Type.Number()),
  /** Until what is known is made, at the present pace; null: not known, or nothing is being made. */
  secondsLeft: maybe(Type.Number()),
}
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
  ...pace,
}

const step = {
  id: count,
  name: text,
  kind: literals(...KINDS),
  progress: Type.Number(),
  tasks: count,
  verified: count,
  failed: count,
  /** In the hands of jobs, waiting or running. */
  waiting: count,
  notSubmitted: count,
  jobs: count,
  jobsFailed: count,
  eventsVerified: count,
  inputs: count,
  inputsTaken: count,
  ...pace,
}

export const ProductionLine = Type.Object({ ...facts, steps: list(Type.Object(step)) })

export const ProductionShown = Type.Object({
  ...facts,
  cells: count,
  scope: text,
  destinations: list(Type.Object({ storages: text, share: count, copies: count })),
  steps: list(
    Type.Object({
      ...step,
      dataset: text,
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

const factsOf = ({ production, progress, failRate, jobFailRate, secondsLeft }: Summed) => {
  const { id, name, account, group, definition, life, validation, operation, reason, checkedBy } = production
  const { scouted, createdAt, startedAt, endedAt } = production
  const { description, release, conditions, campaign, energy } = definition
  const { fraction, ...counts } = progress
  return {
    ...{ id, name, owner: account, group, life, validation, operation, reason, checkedBy, scouted },
    ...{ createdAt, startedAt, endedAt, description, release, conditions, campaign, energy },
    ...{ ...counts, progress: fraction, failRate, jobFailRate, secondsLeft },
  }
}
type Summed = Pick<Line, 'progress' | 'failRate' | 'jobFailRate' | 'secondsLeft'> & {
  readonly production: ListedProduction
}

const stepAnswer = ({ productionId: _p, n: _n, lookedAt: _l, fraction, ...step }: Step) => ({
  ...step,
  progress: fraction,
})

export const lineAnswer = (line: Line) => ({ ...factsOf(line), steps: line.steps.map(stepAnswer) })

export const shownAnswer = (view: ProductionView) => {
  const { production, cells, steps, source } = view
  const { scope, destinations } = production.definition
  return {
    ...factsOf(view),
    ...{ cells: cells.cells, scope, source, destinations: [...destinations] },
    steps: steps.map(({ blocks, failures, ...step }) => ({
      ...stepAnswer(step),
      dataset: `${scope}:${production.name}.${step.name}`,
      blocks: blocks.map(({ name, destination, files }) => ({ name, destination, files })),
      failures: failures.map(({ failure, tasks, reason }) => ({ failure, tasks, reason })),
    })),
  }
}
