import { type Did, didsByIds, findDids, type RseTable, resolveDids } from '../catalog/index.ts'
import { type Db, type Ids, isGridError, publish, type Tx, transaction, wake } from '../kernel/index.ts'
import { duplicateRule, invalidRule, quotaExceeded, ruleLocked, ruleNotFound } from './errors.ts'
import { type EvaluateDeps, evaluateRule } from './evaluate.ts'
import * as gaps from './gap.store.ts'
import * as placements from './placement.store.ts'
import { queueRules } from './queue.store.ts'
import * as store from './rule.store.ts'
import type { GapView, RuleChanges, RuleFilter, RuleRequest, RuleView } from './types.ts'
import { exceededLimits, selectLimits, selectUsage } from './usage.store.ts'

export interface RuleDeps extends EvaluateDeps {
  readonly ids: Ids
  readonly rses: RseTable
}

const KIND_CODE = { FILE: 'F', DATASET: 'D', CONTAINER: 'C' } as const
/** Datasets above this number are placed by the worker, so that adding a rule answers at once. */
const PLACE_AT_ONCE = 100
/** The field's grace: a rule removed by mistake can be saved by giving it a new lifetime. */
const REMOVAL_GRACE_MS = 3_600_000
const PAGE = 500
const FIRST_ID = '00000000-0000-0000-0000-000000000000'

/** Adds rules; all or nothing, ids in the order asked. Throws duplicate_rule, insufficient_target_rses, insufficient_account_limit, invalid_rule. */
export async function addRules(
  db: Db,
  deps: RuleDeps,
  input: { vo: string; now: Date; rules: readonly RuleRequest[] },
): Promise<string[]> {
  const { vo, now, rules } = input
  for (const rule of rules) checkRequest(rule)
  return transaction(db, async (tx) => {
    const targets = await resolveDids(tx, { vo, dids: rules.map((rule) => rule.target) })
    const made: string[] = []
    for (const [i, rule] of rules.entries()) {
      // An expression that matches nothing is refused here, before anything is written.
      await deps.rses.match(vo, rule.rseExpression)
      if (rule.sourceRseExpression) await deps.rses.match(vo, rule.sourceRseExpression)
      const target = targets[i]!
      const id = deps.ids.uuid()
      const isNew = await store.insertRule(tx, vo, now, {
        ...rule,
        id,
        targetId: target.id,
        targetKind: KIND_CODE[target.kind],
      })
      if (!isNew) {
        throw duplicateRule(
          `A rule of this account for ${rule.copies} copies of ${target.scope}:${target.name} on "${rule.rseExpression}" exists already.`,
        )
      }
      made.push(id)
      await placeAtOnce(tx, deps, now, id)
    }
    const accounts = [...new Set(rules.map((rule) => rule.accountId))]
    const over = (await exceededLimits(tx, accounts)) ?? (await exceededGlobalLimit(tx, deps, vo, accounts))
    if (over) {
      throw quotaExceeded(
        `The account's limit of ${over.limit} bytes at ${over.where} would be exceeded: ${over.used} bytes are asked for there.`,
      )
    }
    await publish(
      tx,
      now,
      made.map((subject) => ({ vo, kind: 'rule.added', subject })),
    )
    await wake(tx, 'placement')
    return made
  })
}

/** The first limit for an RSE expression that the rules of accounts now exceed: its storages count together. */
async function exceededGlobalLimit(
  tx: Tx,
  { rses }: RuleDeps,
  vo: string,
  accounts: readonly number[],
): Promise<{ where: string; used: bigint; limit: bigint } | undefined> {
  for (const accountId of accounts) {
    const limits = (await selectLimits(tx, accountId)).filter(({ rseExpression }) => rseExpression !== null)
    if (limits.length === 0) continue
    const usage = await selectUsage(tx, accountId)
    for (const { rseExpression, bytes: limit } of limits) {
      const matched = await rses.match(vo, rseExpression!).catch((error) => {
        // The storages it was set for are gone.
        if (isGridError(error, 'no_rse_matches')) return []
        throw error
      })
      const inside = new Set(matched.map(({ id }) => id))
      const used = usage.reduce((sum, { rseId, bytes }) => (inside.has(rseId) ? sum + bytes : sum), 0n)
      if (limit >= 0n && used > limit) return { where: `"${rseExpression}"`, used, limit }
    }
  }
  return undefined
}

function checkRequest({ copies, priority, expiresAt }: RuleRequest): void {
  if (!Number.isInteger(copies) || copies < 1 || copies > 100)
    throw invalidRule('copies needs a number from 1 to 100.')
  if (!Number.isInteger(priority) || priority < 1 || priority > 5)
    throw invalidRule('priority needs a number from 1 to 5.')
  if (expiresAt && Number.isNaN(expiresAt.getTime())) throw invalidRule('The lifetime is not a time.')
}

async function placeAtOnce(tx: Tx, deps: RuleDeps, now: Date, id: string): Promise<void> {
  const [rule] = await placements.lockRules(tx, [id])
  const large =
    rule!.targetKind === 'C' && (await placements.countDatasets(tx, rule!.targetId)) > PLACE_AT_ONCE
  // A large one stays INJECT; the evaluation worker takes it from there.
  if (!large) await evaluateRule(tx, deps, now, rule!)
}

/** Throws rule_not_found. */
export async function getRule(db: Db, input: { vo: string; id: string }): Promise<RuleView> {
  const found = await store.selectRule(db, input.vo, input.id)
  if (!found) throw ruleNotFound(`There is no rule ${input.id}.`)
  return found
}

/** Rules of a filter, in chunks. */
export async function* listRules(
  db: Db,
  input: { vo: string; filter: RuleFilter },
): AsyncGenerator<readonly RuleView[]> {
  const { vo } = input
  const { targets, withAncestors, ...filter } = input.filter
  const targetIds = targets && (await targetIdsOf(db, vo, targets, withAncestors ?? false))
  let after = FIRST_ID
  for (;;) {
    const page = await store.selectRules(db, {
      ...{ vo, after, limit: PAGE },
      filter: { ...filter, ...(targetIds && { targetIds }) },
    })
    if (page.length > 0) yield page
    if (page.length < PAGE) return
    after = page.at(-1)!.id
  }
}

async function targetIdsOf(db: Db, vo: string, targets: readonly Did[], above: boolean): Promise<bigint[]> {
  const known = (await findDids(db, { vo, dids: targets }))
    .filter((did) => did !== undefined)
    .map((did) => did.id)
  return above ? placements.selfAndAncestors(db, known) : known
}

/**
 * Changes a rule. State SUSPENDED stops asking for copies, but protects those that are there; STUCK takes it into
 * service again. Throws rule_not_found, invalid_rule.
 */
export async function updateRule(
  db: Db,
  input: { vo: string; now: Date; id: string; changes: RuleChanges },
): Promise<void> {
  const { vo, now, id, changes } = input
  const { priority } = changes
  if (priority !== undefined && (!Number.isInteger(priority) || priority < 1 || priority > 5)) {
    throw invalidRule('priority needs a number from 1 to 5.')
  }
  await transaction(db, async (tx) => {
    await getRule(tx, { vo, id })
    await placements.lockRules(tx, [id])
    await store.updateRule(tx, vo, now, id, changes)
    if (changes.boost || changes.state === 'STUCK') await gaps.retryGaps(tx, now, id)
    if (changes.state === 'STUCK') await queueRules(tx, now, [id])
    await publish(tx, now, [{ vo, kind: 'rule.updated', subject: id }])
    await wake(tx, 'placement')
  })
}

/** Ends the rule's life after the field's grace of an hour. Throws rule_not_found, rule_locked. */
export async function deleteRule(
  db: Db,
  input: { vo: string; now: Date; id: string; purge: boolean | null },
): Promise<void> {
  const { vo, now, id, purge } = input
  await transaction(db, async (tx) => {
    const rule = await getRule(tx, { vo, id })
    if (rule.locked) throw ruleLocked(`Rule ${id} is locked; unlock it first.`)
    const end = new Date(now.getTime() + REMOVAL_GRACE_MS)
    const expiresAt = rule.expiresAt && rule.expiresAt < end ? rule.expiresAt : end
    await store.updateRule(tx, vo, now, id, { expiresAt, ...(purge !== null && { purgeReplicas: purge }) })
    await publish(tx, now, [{ vo, kind: 'rule.ending', subject: id }])
  })
}

/** A new rule elsewhere; the old one ends when the new one is OK. */
export async function moveRule(
  db: Db,
  deps: RuleDeps,
  input: { vo: string; now: Date; id: string; rseExpression: string; changes: RuleChanges },
): Promise<string> {
  const { vo, now, id, rseExpression, changes } = input
  return transaction(db, async (tx) => {
    const old = await getRule(tx, { vo, id })
    const [fresh] = await addRules(tx, deps, {
      vo,
      now,
      rules: [
        {
          ...old,
          rseExpression,
          activity: changes.activity ?? old.activity,
          comments: changes.comments ?? old.comments,
          sourceRseExpression: changes.sourceRseExpression ?? old.sourceRseExpression,
          priority: changes.priority ?? old.priority,
        },
      ],
    })
    await placements.setSuccessor(tx, id, fresh!)
    return fresh!
  })
}

/** What a rule waits for, failed ones first. */
export async function gapsOfRule(db: Db, input: { vo: string; id: string }): Promise<readonly GapView[]> {
  await getRule(db, input)
  return gaps.gapsOf(db, input.id, 1000)
}

/** Names of rule targets by id, for callers that hold ids only. */
export const targetNames = didsByIds
