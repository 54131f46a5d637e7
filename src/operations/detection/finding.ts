import { type Entity, entityKey, type Finding, type RuleId, type Severity } from './types.ts'

/** A rule that holds now; since when, the memory knows. */
export type Sign = Omit<Finding, 'since'> & {
  readonly since?: Date
  /** It must hold so long before anybody is told. */
  readonly forMs?: number
}

export interface SignOptions {
  readonly within?: readonly Entity[]
  readonly since?: Date
  readonly forMs?: number
}

export const sign = (
  rule: RuleId,
  code: string,
  entity: Entity,
  severity: Severity,
  facts: Finding['facts'],
  { within = [], ...more }: SignOptions = {},
): Sign => ({ rule, code, entity, severity, facts, within, ...more })

export const signKey = ({ rule, code, entity }: Pick<Sign, 'rule' | 'code' | 'entity'>): string =>
  `${rule} ${code} ${entityKey(entity)}`

export const site = (name: string): Entity => ({ kind: 'site', name })
export const storage = (name: string): Entity => ({ kind: 'storage', name })
export const central = (name: string): Entity => ({ kind: 'central', name })

export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

const SEVERITIES: readonly Severity[] = ['info', 'warn', 'error', 'critical']
export const rank = (severity: Severity): number => SEVERITIES.indexOf(severity)
export const worst = (severities: readonly Severity[]): Severity =>
  SEVERITIES[Math.max(0, ...severities.map(rank))]!

/** Whether something is an entity or a part of it. */
export const isOf = (
  one: { readonly entity: Entity; readonly within?: readonly Entity[] },
  key: string,
): boolean => entityKey(one.entity) === key || (one.within ?? []).some((whole) => entityKey(whole) === key)

export const hours = (ms: number): number => Math.round((ms / HOUR_MS) * 10) / 10
export const minutes = (ms: number): number => Math.round(ms / MINUTE_MS)
export const percent = (part: number, whole: number): number =>
  whole > 0 ? Math.round((1000 * part) / whole) / 10 : 0

/** The wholes, and the wholes of the wholes: a link is within its storages and so within their sites. */
export function closure(
  within: readonly Entity[],
  wholes: ReadonlyMap<string, readonly Entity[]>,
): readonly Entity[] {
  if (within.length === 0) return within
  const all = new Map(within.map((one) => [entityKey(one), one]))
  for (const one of within)
    for (const whole of wholes.get(entityKey(one)) ?? []) all.set(entityKey(whole), whole)
  return all.size === within.length ? within : [...all.values()]
}
