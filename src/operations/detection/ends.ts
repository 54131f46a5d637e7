import { weakened } from './cusum.ts'
import { MINUTE_MS } from './finding.ts'
import { type EntityMemory, entityKey, type JobFact, type Memory } from './types.ts'

const LATELY_MS = 30 * MINUTE_MS
/** Beside the worse ends, so much must fail at a storage for itself. */
const OWN_FRACTION = 0.2
const FEWEST = 5

/**
 * A transfer that fails counts at both of its ends, and one of them is to blame. Of the storages at which transfers fail
 * the worst is taken, then the worst of the rest without its transfers, and so on; those that just began to fail and at
 * which little fails then are held to be well.
 */
export function withoutWorseEnds(
  entities: Memory['entities'],
  transfers: readonly JobFact[],
  now: number,
): Record<string, EntityMemory> {
  const after: Record<string, EntityMemory> = { ...entities }
  const suspected = new Set(
    Object.entries(entities).flatMap(([key, { entity, since, evidence }]) =>
      entity.kind === 'storage' && since !== null && (evidence.transfers ?? 0) > 0 ? [key] : [],
    ),
  )
  let left = transfers.filter(({ start }) => !start || start.getTime() >= now - LATELY_MS)
  while (suspected.size > 0) {
    const [worst] = [...suspected]
      .map((key) => ({ key, ...failuresAt(key, left) }))
      .sort((a, b) => b.fraction - a.fraction || (a.key < b.key ? -1 : 1))
    if (!worst || worst.n < FEWEST || worst.fraction < OWN_FRACTION) break
    suspected.delete(worst.key)
    left = left.filter((row) => !endsOf(row).includes(worst.key))
  }
  if (left.length === transfers.length) return after
  for (const key of suspected) {
    if (entities[key]!.since! < now - LATELY_MS) continue
    const less = weakened(entities[key]!, ['transfers'], 0)
    const ill = Object.values(less.evidence).some((value) => value > 0)
    after[key] = { ...less, since: ill ? less.since : null, calm: 0 }
  }
  return after
}

const endsOf = ({ attributes }: JobFact): readonly string[] =>
  [attributes.source, attributes.destination].flatMap((name) =>
    name === undefined ? [] : [entityKey({ kind: 'storage', name })],
  )

function failuresAt(key: string, rows: readonly JobFact[]): { n: number; fraction: number } {
  const own = rows.filter((row) => endsOf(row).includes(key))
  const n = own.reduce((sum, row) => sum + row.n, 0)
  const failed = own.reduce((sum, row) => sum + row.failed, 0)
  return { n, fraction: n > 0 ? failed / n : 0 }
}
