import { addCollections, attach, findDids } from '../catalog/index.ts'
import type { Tx } from '../kernel/index.ts'
import type { RuleRequest } from '../placement/index.ts'
import type { ProductionDeps } from './deps.ts'
import { blockName, datasetName, destinationOf } from './destination.ts'
import * as store from './output.store.ts'
import type { Destination, Production, Step } from './types.ts'

/** Files of a datablock: the unit in which data are placed and handled. */
export const BLOCK_FILES = 1000

type Owner = Pick<Production, 'vo' | 'name' | 'accountId' | 'definition'>

/**
 * The datablock that takes the next file of a step: that of the destination furthest behind its share. A new one is made
 * with its rules, so that whatever comes into it later is on its way at once. Holds the step until the end of the
 * transaction.
 */
export async function blockForNext(
  tx: Tx,
  deps: Pick<ProductionDeps, 'addRules'>,
  input: { now: Date; owner: Owner; step: Step; stepId: number },
): Promise<store.Block> {
  const { now, owner, step, stepId } = input
  const shares = await store.lockShares(tx, stepId)
  // Intermediates stay where they were made.
  const { destinations } = owner.definition
  const files = new Map(shares.map(({ destination, files }) => [destination, files]))
  const destination = step.keep && step.targets.length === 0 ? destinationOf(destinations, files) : 0
  const open = await store.openBlock(tx, stepId, destination, BLOCK_FILES)
  if (open) return open
  const n = shares.reduce((sum, { blocks }) => sum + blocks, 0)
  const { vo, accountId, definition } = owner
  const { scope } = definition
  const name = blockName(definition.name, step.name, n)
  const meta = {
    ...{ production: definition.name, step: step.name, release: definition.release },
    ...{ conditions: definition.conditions, campaign: definition.campaign },
  }
  await addCollections(tx, { vo, now, accountId, collections: [{ scope, name, kind: 'DATASET', meta }] })
  await attach(tx, {
    ...{ vo, now, accountId },
    attachments: [{ scope, name: datasetName(definition.name, step.name), dids: [{ scope, name }] }],
  })
  const wanted: readonly Pick<Destination, 'storages' | 'copies'>[] =
    step.targets.length > 0
      ? step.targets.map((storages) => ({ storages, copies: 1 }))
      : step.keep
        ? [destinations[destination]!]
        : []
  const rules = wanted.map(({ storages, copies }) => ruleFor(owner, { scope, name }, storages, copies))
  if (rules.length > 0) await deps.addRules(tx, { vo, now, rules })
  return (await store.insertBlock(tx, { stepId, n, destination, scope, name }))!
}

const ruleFor = (
  { accountId, name }: Owner,
  target: { scope: string; name: string },
  rseExpression: string,
  copies: number,
): RuleRequest => ({
  ...{ target, accountId, copies, rseExpression, grouping: 'DATASET', weight: null, expiresAt: null },
  ...{ locked: false, sourceRseExpression: null, activity: 'Production Output', notification: null },
  ...{ purgeReplicas: false, ignoreAvailability: false, priority: 3, meta: null },
  comments: `production ${name}`,
})

/** The containers of a production's steps, made when it starts. */
export async function makeContainers(tx: Tx, now: Date, owner: Owner): Promise<void> {
  const { vo, accountId, definition } = owner
  const { scope, release, conditions, campaign, energy } = definition
  const collections = definition.steps.map((step) => ({
    ...{ scope, name: datasetName(definition.name, step.name), kind: 'CONTAINER' as const },
    meta: {
      production: definition.name,
      step: step.name,
      level: step.level,
      release,
      conditions,
      campaign,
      energy,
    },
  }))
  await addCollections(tx, { vo, now, accountId, collections })
}

/** Names of steps' datasets that somebody else has already. */
export async function takenNames(tx: Tx, owner: Pick<Owner, 'vo' | 'definition'>): Promise<string[]> {
  const { scope, name, steps } = owner.definition
  const dids = steps.map((step) => ({ scope, name: datasetName(name, step.name) }))
  return (await findDids(tx, { vo: owner.vo, dids })).flatMap((did) =>
    did ? [`${did.scope}:${did.name}`] : [],
  )
}
