import type { Db } from '../kernel/database.ts'
import { ruleMissing } from './errors.ts'
import { type RuleFilter, type RuleRow, readGaps, readPlacements, readRules } from './rules.store.ts'
import { errorText } from './transfers.ts'

export interface RuleLine {
  readonly id: string
  readonly scope: string
  readonly name: string
  readonly type: 'FILE' | 'DATASET' | 'CONTAINER'
  readonly account: string
  readonly expression: string
  readonly copies: number
  readonly grouping: 'ALL' | 'DATASET' | 'NONE'
  readonly state: string
  /** The sentence that says what keeps it from being OK. */
  readonly reason: string | null
  readonly activity: string
  readonly comments: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly expiresAt: Date | null
  readonly stuckAt: Date | null
  /** Copies of files it asks for, and how many of them are not there yet. */
  readonly files: bigint
  readonly bytes: bigint
  readonly missing: bigint
  readonly moving: bigint
  readonly failed: bigint
  readonly missingBytes: bigint
}

export interface PlacementLine {
  readonly scope: string
  readonly name: string
  readonly storage: string
  readonly files: bigint
  readonly missing: bigint
}

export interface GapLine {
  readonly scope: string
  readonly name: string
  readonly bytes: bigint
  readonly storage: string
  readonly state: string
  readonly attempts: number
  readonly error: string | null
  readonly nextTry: Date
  readonly createdAt: Date
  readonly transfer: string | null
}

export interface RuleExplanation {
  readonly rule: RuleLine
  readonly placements: readonly PlacementLine[]
  readonly gaps: readonly GapLine[]
  /** Equal errors of gaps together, most frequent first. */
  readonly reasons: readonly {
    readonly message: string
    readonly count: number
    readonly storages: readonly string[]
  }[]
}

const KINDS = { F: 'FILE', D: 'DATASET', C: 'CONTAINER' } as const
const GROUPINGS = { A: 'ALL', D: 'DATASET', N: 'NONE' } as const

const line = (row: RuleRow): RuleLine => ({
  id: row.id,
  scope: row.scope,
  name: row.name,
  type: KINDS[row.kind as keyof typeof KINDS],
  account: row.account,
  expression: row.expression,
  copies: row.copies,
  grouping: GROUPINGS[row.grouping as keyof typeof GROUPINGS],
  state: row.state,
  reason: row.error ?? errorText(row.gap_error),
  activity: row.activity,
  comments: row.comments,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  expiresAt: row.expires_at,
  stuckAt: row.stuck_at,
  files: row.files,
  bytes: row.bytes,
  missing: row.missing,
  moving: row.moving,
  failed: row.failed,
  missingBytes: row.gap_bytes,
})

/** Rules with their progress, stuck first. */
export async function ruleLines(db: Db, vo: string, filter: RuleFilter): Promise<RuleLine[]> {
  return (await readRules(db, vo, filter)).map(line)
}

/** How the system calls the same failure differs from file to file: refused, reset, closed. */
const SYSTEM_CODE = / \((?:E|UND_ERR_)[A-Z_]+\)/g

/** What a rule holds, what it still waits for, and why. */
export async function ruleExplanation(db: Db, vo: string, id: string): Promise<RuleExplanation> {
  const [found] = await readRules(db, vo, { id, limit: 1 })
  if (!found) throw ruleMissing(`There is no rule ${id}; it may have been deleted or have expired.`, { id })
  const [placements, gaps] = await Promise.all([readPlacements(db, id, 500), readGaps(db, id, 500)])
  const groups = new Map<string, { count: number; storages: Set<string> }>()
  for (const gap of gaps) {
    const message = errorText(gap.last_error)?.replace(SYSTEM_CODE, '')
    if (!message) continue
    const group = groups.get(message) ?? { count: 0, storages: new Set<string>() }
    group.count++
    group.storages.add(gap.storage)
    groups.set(message, group)
  }
  return {
    rule: line(found),
    placements,
    gaps: gaps.map(({ last_error, next_try, created_at, ...gap }) => ({
      ...gap,
      error: errorText(last_error),
      nextTry: next_try,
      createdAt: created_at,
    })),
    reasons: [...groups]
      .map(([message, { count, storages }]) => ({ message, count, storages: [...storages].sort() }))
      .sort((a, b) => b.count - a.count),
  }
}
