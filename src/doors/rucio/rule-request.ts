import type { Did } from '../../catalog/index.ts'
import type { RuleBody } from './bodies.ts'
import type { Grouping, RuleRequest } from './deps.ts'
import { type Call, callerAccount } from './endpoint.ts'
import { badRequest, unsupportedOperation } from './errors.ts'

/** The client's rule, one request per name; absent and null both mean the default. */
export async function ruleRequests(
  call: Call,
  body: RuleBody,
  targets: readonly Did[],
): Promise<RuleRequest[]> {
  if (body.ask_approval)
    throw unsupportedOperation('Rules with approval are not served here; ask for the rule itself.')
  const accountId = body.account
    ? (await call.deps.identity.account(call.vo, body.account)).id
    : callerAccount(call)
  const copies = Number(body.copies)
  if (!Number.isInteger(copies) || copies < 1)
    throw badRequest('The number of copies is a whole number from 1.')
  const common: Omit<RuleRequest, 'target'> = {
    accountId,
    copies,
    rseExpression: body.rse_expression,
    grouping: grouping(body.grouping),
    weight: body.weight ?? null,
    expiresAt: expiry(call.now, body.lifetime),
    locked: body.locked ?? false,
    sourceRseExpression: body.source_replica_expression ?? null,
    activity: body.activity ?? null,
    notification: body.notify ?? null,
    purgeReplicas: body.purge_replicas ?? false,
    ignoreAvailability: body.ignore_availability ?? false,
    comments: body.comment ?? null,
    priority: Number(body.priority ?? 3),
    meta: body.meta ?? null,
  }
  return targets.map(({ scope, name }) => ({ ...common, target: { scope, name } }))
}

/** A lifetime in seconds from now; absent, null and empty are "for ever". */
export function expiry(now: Date, lifetime: number | string | null | undefined): Date | null {
  if (lifetime === null || lifetime === undefined || lifetime === '') return null
  const seconds = Number(lifetime)
  if (!Number.isFinite(seconds)) throw badRequest('A lifetime is a number of seconds.')
  return new Date(now.getTime() + seconds * 1000)
}

function grouping(text: string | null | undefined): Grouping {
  const letter = (text ?? 'DATASET').toUpperCase()
  if (letter === 'ALL' || letter === 'A') return 'ALL'
  if (letter === 'DATASET' || letter === 'D') return 'DATASET'
  if (letter === 'NONE' || letter === 'N') return 'NONE'
  throw badRequest('The grouping of a rule is ALL, DATASET or NONE.')
}
