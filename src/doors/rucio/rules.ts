import { Type } from 'typebox'
import type { Did } from '../../catalog/index.ts'
import type { Resource } from '../../identity/index.ts'
import { RuleBody } from './bodies.ts'
import type { RuleChanges, RuleFilter, RuleView } from './deps.ts'
import { accountNames, bodyOf, type Call, callerAccount, type Endpoint, get, param } from './endpoint.ts'
import { badRequest, noLocks, unsupportedOperation } from './errors.ts'
import { expiry, ruleRequests } from './rule-request.ts'
import { sendCreated, sendJson, sendLines } from './stream.ts'
import { RULE_STATE_LETTERS, readDate, readId, rucioDate, wireId } from './wire.ts'

const OptionsBody = Type.Object({
  options: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  approve: Type.Optional(Type.Boolean()),
})
const MoveBody = Type.Object({
  rse_expression: Type.String({ minLength: 1 }),
  override: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
})
const DeleteBody = Type.Object({ purge_replicas: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])) })

export const ruleEndpoints: readonly Endpoint[] = [
  get('/rules', 'placement.rule.read', async (call) =>
    sendLines(call.reply, listRuleLines(call, await filterOf(call))),
  ),
  {
    method: 'POST',
    path: '/rules',
    action: 'placement.rule.create',
    async resource(call): Promise<Resource> {
      const { account } = bodyOf(call, RuleBody)
      return {
        vo: call.vo,
        owner: account ? (await call.deps.identity.account(call.vo, account)).id : callerAccount(call),
      }
    },
    async handler(call) {
      const body = bodyOf(call, RuleBody)
      if (!body.dids || body.dids.length === 0)
        throw badRequest('A rule needs at least one name (field "dids").')
      const rules = await ruleRequests(call, body, body.dids)
      const ids = await call.deps.placement.addRules(call.deps.db, { vo: call.vo, now: call.now, rules })
      return sendJson(call.reply, ids.map(wireId), 201)
    },
  },
  get('/rules/:id', 'placement.rule.read', async (call) => sendJson(call.reply, await oneView(call))),
  {
    method: 'PUT',
    path: '/rules/:id',
    action: 'placement.rule.update',
    resource: ruleOwner,
    async handler(call) {
      const { options, approve } = bodyOf(call, OptionsBody)
      if (approve !== undefined) throw unsupportedOperation('Rules need no approval here.')
      const changes = await changesOf(call, options ?? {})
      await call.deps.placement.updateRule(call.deps.db, {
        vo: call.vo,
        now: call.now,
        id: ruleId(call),
        changes,
      })
      return sendCreated(call.reply, 200)
    },
  },
  {
    method: 'DELETE',
    path: '/rules/:id',
    action: 'placement.rule.delete',
    resource: ruleOwner,
    async handler(call) {
      const body = call.body === undefined ? {} : bodyOf(call, DeleteBody)
      const purge = body.purge_replicas ?? null
      await call.deps.placement.deleteRule(call.deps.db, {
        vo: call.vo,
        now: call.now,
        id: ruleId(call),
        purge,
      })
      return sendCreated(call.reply, 200)
    },
  },
  {
    method: 'POST',
    path: '/rules/:id/move',
    action: 'placement.rule.update',
    resource: ruleOwner,
    async handler(call) {
      const { rse_expression: rseExpression, override } = bodyOf(call, MoveBody)
      const changes = await changesOf(call, override ?? {})
      const input = { vo: call.vo, now: call.now, id: ruleId(call), rseExpression, changes }
      return sendJson(call.reply, wireId(await call.deps.placement.moveRule(call.deps.db, input)), 201)
    },
  },
  get('/rules/:id/locks', 'placement.rule.read', (call) => sendLines(call.reply, lockLines(call))),
  get('/rules/:id/analysis', 'placement.rule.read', analysis),
  get('/rules/:scope/:name/history', 'placement.rule.read', (call) =>
    sendLines(call.reply, historyLines(call)),
  ),
]

/** Rules with the extra `bytes` of lists, as lines. */
export async function* listRuleLines(
  call: Call,
  filter: RuleFilter,
): AsyncGenerator<Record<string, unknown>> {
  for await (const chunk of call.deps.placement.listRules(call.deps.db, { vo: call.vo, filter })) {
    const names = await accountNames(
      call,
      chunk.map((rule) => rule.accountId),
    )
    for (const rule of chunk) yield { ...view(rule, names), bytes: rule.target.bytes }
  }
}

/** Every field the client's tables print; those of features not served have their neutral value. */
function view(rule: RuleView, names: ReadonlyMap<number, string>): Record<string, unknown> {
  return {
    id: wireId(rule.id),
    subscription_id: null,
    account: names.get(rule.accountId) ?? null,
    scope: rule.target.scope,
    name: rule.target.name,
    did_type: rule.target.kind,
    state: rule.state,
    error: rule.error,
    rse_expression: rule.rseExpression,
    copies: rule.copies,
    expires_at: rule.expiresAt && rucioDate(rule.expiresAt),
    weight: rule.weight,
    locked: rule.locked,
    locks_ok_cnt: rule.locksOk,
    locks_replicating_cnt: rule.locksReplicating,
    locks_stuck_cnt: rule.locksStuck,
    source_replica_expression: rule.sourceRseExpression,
    activity: rule.activity,
    grouping: rule.grouping,
    notification: rule.notification,
    stuck_at: rule.stuckAt && rucioDate(rule.stuckAt),
    purge_replicas: rule.purgeReplicas,
    ignore_availability: rule.ignoreAvailability,
    ignore_account_limit: false,
    priority: rule.priority,
    comments: rule.comments,
    child_rule_id: null,
    eol_at: null,
    split_container: false,
    meta: rule.meta ?? null,
    created_at: rucioDate(rule.createdAt),
    updated_at: rucioDate(rule.updatedAt),
  }
}

function ruleId(call: Call): string {
  const id = readId(param(call, 'id'))
  if (!id) throw noLocks(`There is no rule ${param(call, 'id').slice(0, 60)}; ids are 32 hexadecimal digits.`)
  return id
}

const rule = (call: Call): Promise<RuleView> =>
  call.deps.placement.getRule(call.deps.db, { vo: call.vo, id: ruleId(call) })

async function ruleOwner(call: Call): Promise<Resource> {
  return { vo: call.vo, owner: (await rule(call)).accountId }
}

async function oneView(call: Call): Promise<Record<string, unknown>> {
  const found = await rule(call)
  return view(found, await accountNames(call, [found.accountId]))
}

async function filterOf(call: Call): Promise<RuleFilter> {
  const { account, scope, name, state, rse_expression: rseExpression, activity } = call.query
  const { created_after: after, created_before: before } = call.query
  return {
    ...(account && { accountId: (await call.deps.identity.account(call.vo, account)).id }),
    ...(scope && name ? { targets: [{ scope, name }] } : scope ? { scope } : {}),
    ...(state && { states: [RULE_STATE_LETTERS[state] ?? state] }),
    ...(rseExpression && { rseExpression }),
    ...(activity && { activity }),
    ...(after && { createdAfter: readDate(after) }),
    ...(before && { createdBefore: readDate(before) }),
  }
}

async function changesOf(call: Call, options: Record<string, unknown>): Promise<RuleChanges> {
  const text = (key: string): string | null => (options[key] === null ? null : String(options[key]))
  const flag = (key: string): boolean => /^(true|1)$/i.test(String(options[key]))
  const state =
    typeof options.state === 'string'
      ? (RULE_STATE_LETTERS[options.state] ?? options.state.toUpperCase())
      : undefined
  if (state !== undefined && state !== 'SUSPENDED' && state !== 'STUCK') {
    throw unsupportedOperation(
      'Only SUSPENDED and STUCK can be asked for; the other states follow from the copies.',
    )
  }
  for (const key of ['child_rule_id', 'eol_at']) {
    if (options[key]) throw unsupportedOperation(`"${key}" of a rule cannot be changed here.`)
  }
  return {
    ...('comment' in options && { comments: text('comment') }),
    ...('comments' in options && { comments: text('comments') }),
    ...('locked' in options && { locked: flag('locked') }),
    ...('lifetime' in options && { expiresAt: expiry(call.now, options.lifetime as string | number | null) }),
    ...(typeof options.account === 'string' && {
      accountId: (await call.deps.identity.account(call.vo, options.account)).id,
    }),
    ...(state && { state }),
    ...(typeof options.activity === 'string' && { activity: options.activity }),
    ...('source_replica_expression' in options && { sourceRseExpression: text('source_replica_expression') }),
    ...(options.priority !== undefined && { priority: Number(options.priority) }),
    ...('purge_replicas' in options && { purgeReplicas: flag('purge_replicas') }),
    ...('meta' in options && { meta: options.meta }),
    ...('boost_rule' in options && { boost: flag('boost_rule') }),
  }
}

async function* lockLines(call: Call): AsyncGenerator<Record<string, unknown>> {
  for await (const chunk of call.deps.placement.locksOfRule(call.deps.db, {
    vo: call.vo,
    id: ruleId(call),
  })) {
    for (const lock of chunk) {
      const rse = await call.deps.rses.byId(call.vo, lock.rseId)
      yield {
        scope: lock.scope,
        name: lock.name,
        rse_id: rse ? wireId(rse.uuid) : null,
        rse: rse?.name ?? null,
        state: lock.state,
        rule_id: wireId(lock.ruleId),
      }
    }
  }
}

async function analysis(call: Call): Promise<unknown> {
  const found = await rule(call)
  const gaps = await call.deps.placement.gapsOfRule(call.deps.db, { vo: call.vo, id: found.id })
  const transfers = await Promise.all(
    gaps.map(async (gap) => {
      const rse = await call.deps.rses.byId(call.vo, gap.rseId)
      return {
        scope: gap.scope,
        name: gap.name,
        rse_id: rse ? wireId(rse.uuid) : null,
        rse: rse?.name ?? null,
        attempts: gap.attempts,
        last_error: gap.lastError,
        last_source: gap.lastSource,
        sources: [],
        last_time: gap.lastTime && rucioDate(gap.lastTime),
      }
    }),
  )
  return sendJson(call.reply, { rule_error: found.error, transfers })
}

async function* historyLines(call: Call): AsyncGenerator<Record<string, unknown>> {
  const target: Did = { scope: param(call, 'scope'), name: param(call, 'name') }
  for await (const line of listRuleLines(call, { targets: [target] })) {
    const { id, created_at, updated_at, rse_expression, state, account } = line
    const { locks_ok_cnt, locks_stuck_cnt, locks_replicating_cnt } = line
    yield {
      rule_id: id,
      created_at,
      updated_at,
      rse_expression,
      state,
      account,
      locks_ok_cnt,
      locks_stuck_cnt,
      locks_replicating_cnt,
    }
  }
}
