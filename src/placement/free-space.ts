import type { Rse } from '../catalog/index.ts'
import type { Db } from '../kernel/index.ts'
import { type Candidate, measuredSpace } from './deletion.store.ts'

/**
 * How many bytes have to go at a storage; null: all that may go, at once.
 *
 * As in the field the limit `MinFreeSpace` is what shall be free, measured by the usage of source `storage` (another
 * by attribute `source_for_used_space`); what is on its way out already, or went since that measurement, counts as
 * free. Attribute `greedyDeletion` overrides: true keeps no unprotected copy, false none but those given up at once.
 * With neither, every copy goes when its time has come. A limit without a measurement deletes nothing.
 */
export async function bytesToFree(db: Db, rse: Rse): Promise<bigint | null> {
  const greedy = flag(rse.attributes.greedyDeletion)
  const least = rse.limits.MinFreeSpace
  if (greedy ?? least === undefined) return null
  if (least === undefined) return 0n
  const source = String(rse.attributes.source_for_used_space ?? 'storage')
  const { free, leaving } = await measuredSpace(db, rse.id, source)
  if (free === null) return 0n
  const need = least - free - leaving
  return need > 0n ? need : 0n
}

function flag(value: unknown): boolean | undefined {
  return value === undefined ? undefined : /^(true|1|yes)$/i.test(String(value))
}

/** The first of the copies, in their order, that are enough to free so many bytes; those given up at once go anyhow. */
export function enoughFor(copies: readonly Candidate[], need: bigint | null): readonly Candidate[] {
  let sum = 0n
  return copies.filter(({ atOnce, bytes }) => {
    const goes = atOnce || need === null || sum < need
    if (goes) sum += bytes
    return goes
  })
}
