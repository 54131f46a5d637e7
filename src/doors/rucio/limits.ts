import { Type } from 'typebox'
import type { UsageView } from './deps.ts'
import { bodyOf, type Call, type Endpoint, get, param } from './endpoint.ts'
import { sendCreated, sendJson, sendLines } from './stream.ts'
import { UNLIMITED, wireId } from './wire.ts'

const BytesBody = Type.Object({ bytes: Type.Number() })

const accountId = async (call: Call): Promise<number> =>
  (await call.deps.identity.account(call.vo, param(call, 'account'))).id

/** Where limits are changed: line 41 of the client knows the first form, line 38 the second. */
const LIMIT_PATHS = [
  '/accounts/:account/limits/local/:rse',
  '/accounts/:account/limits/global/:expression',
  '/accountlimits/local/:account/:rse',
  '/accountlimits/global/:account/:expression',
]

export const limitEndpoints: readonly Endpoint[] = [
  ...['', '/:rse'].flatMap((rest) => [
    get(`/accounts/:account/limits/local${rest}`, 'identity.read', localLimits),
    get(
      `/accounts/:account/limits/global${rest.replace('rse', 'expression')}`,
      'identity.read',
      globalLimits,
    ),
    get(`/accounts/:account/usage/local${rest}`, 'identity.read', localUsage),
    get(`/accounts/:account/usage/global${rest.replace('rse', 'expression')}`, 'identity.read', globalUsage),
  ]),
  ...(['POST', 'DELETE'] as const).flatMap((method) =>
    LIMIT_PATHS.map((path): Endpoint => ({ method, path, action: 'admin.limits', handler: change })),
  ),
]

/** Sets a limit, or takes it away: -1 and infinity both mean "without limit" in the field. */
async function change(call: Call): Promise<unknown> {
  const given = call.request.method === 'POST' ? bodyOf(call, BytesBody).bytes : -1
  const { rse, expression } = call.params
  await call.deps.placement.setLimit(call.deps.db, {
    vo: call.vo,
    now: call.now,
    accountId: await accountId(call),
    bytes: given < 0 || !Number.isFinite(given) ? null : BigInt(Math.round(given)),
    ...(rse && { rseId: (await call.deps.rses.byName(call.vo, rse)).id }),
    ...(expression && { rseExpression: expression }),
  })
  return sendCreated(call.reply, call.request.method === 'POST' ? 201 : 200)
}

async function limits(call: Call) {
  return call.deps.placement.limits(call.deps.db, { vo: call.vo, accountId: await accountId(call) })
}

async function localLimits(call: Call): Promise<unknown> {
  const rses = new Map((await call.deps.rses.all(call.vo)).map((rse) => [rse.id, rse.name]))
  const local = (await limits(call)).filter(({ rseId }) => rseId !== null)
  const byName = local.map(({ rseId, bytes }) => [rses.get(rseId ?? 0) ?? '', bytes] as const)
  const wanted = call.params.rse
  return sendJson(
    call.reply,
    Object.fromEntries(byName.filter(([name]) => name !== '' && (!wanted || name === wanted))),
  )
}

async function globalLimits(call: Call): Promise<unknown> {
  const wanted = call.params.expression
  const answer: Record<string, unknown> = {}
  for (const { rseExpression, bytes } of await limits(call)) {
    if (rseExpression === null || (wanted && rseExpression !== wanted)) continue
    const rses = await call.deps.rses.match(call.vo, rseExpression)
    answer[rseExpression] = wanted
      ? bytes
      : {
          resolved_rses: rses.map(({ name }) => name),
          resolved_rse_ids: rses.map(({ uuid }) => wireId(uuid)),
          limit: bytes,
        }
  }
  return sendJson(call.reply, answer)
}

const remaining = (limit: bigint | null, bytes: bigint): bigint | number =>
  limit === null ? UNLIMITED : limit > bytes ? limit - bytes : 0n

async function usageOf(call: Call): Promise<readonly UsageView[]> {
  return call.deps.placement.usage(call.deps.db, { vo: call.vo, accountId: await accountId(call) })
}

async function localUsage(call: Call): Promise<unknown> {
  const rses = new Map((await call.deps.rses.all(call.vo)).map((rse) => [rse.id, rse]))
  const lines = (await usageOf(call)).flatMap(({ rseId, bytes, files, limit }) => {
    const rse = rses.get(rseId)
    if (!rse || (call.params.rse && call.params.rse !== rse.name)) return []
    return [
      {
        rse_id: wireId(rse.uuid),
        rse: rse.name,
        bytes,
        files,
        bytes_limit: limit ?? UNLIMITED,
        bytes_remaining: remaining(limit, bytes),
      },
    ]
  })
  return sendLines(call.reply, lines)
}

async function globalUsage(call: Call): Promise<unknown> {
  const usage = await usageOf(call)
  const lines: unknown[] = []
  for (const { rseExpression, bytes: limit } of await limits(call)) {
    if (rseExpression === null || (call.params.expression && call.params.expression !== rseExpression))
      continue
    const ids = new Set((await call.deps.rses.match(call.vo, rseExpression)).map(({ id }) => id))
    const inside = usage.filter(({ rseId }) => ids.has(rseId))
    const bytes = inside.reduce((sum, { bytes }) => sum + bytes, 0n)
    const files = inside.reduce((sum, { files }) => sum + files, 0n)
    lines.push({
      rse_expression: rseExpression,
      bytes,
      files,
      bytes_limit: limit,
      bytes_remaining: remaining(limit, bytes),
    })
  }
  return sendLines(call.reply, lines)
}
