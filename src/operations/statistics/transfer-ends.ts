import type { Db } from '../../kernel/database.ts'
import type { TransferOutcome } from '../../transfer/index.ts'
import { insertTransferEnds, type TransferEnds } from './rollup.store.ts'

/** Notes how attempts of transfers ended, summed by link and activity, in the transaction that commits their outcomes. */
export async function noteTransferEnds(
  tx: Db,
  { now, outcomes }: { now: Date; outcomes: readonly TransferOutcome[] },
): Promise<void> {
  const sums = new Map<string, TransferEnds & { total: bigint }>()
  for (const { vo, srcRseId, dstRseId, activity, result, error, bytes } of outcomes) {
    // Without a source nothing was tried.
    if (srcRseId === null) continue
    const key = JSON.stringify([vo, srcRseId, dstRseId, activity])
    const before = sums.get(key)
    const failed = result === 'failed' || result === 'retrying'
    const one = (is: boolean): number => (is ? 1 : 0)
    const total = (before?.total ?? 0n) + (failed ? 0n : bytes)
    sums.set(key, {
      ...{ vo, srcRseId, dstRseId, activity, total },
      n: (before?.n ?? 0) + 1,
      failed: (before?.failed ?? 0) + one(failed),
      failedSource: (before?.failedSource ?? 0) + one(failed && error?.party === 'source'),
      failedDestination: (before?.failedDestination ?? 0) + one(failed && error?.party === 'destination'),
      bytes: String(total),
      error: failed ? (error?.message ?? null) : (before?.error ?? null),
    })
  }
  await insertTransferEnds(
    tx,
    now,
    [...sums.values()].map(({ total: _, ...ends }) => ends),
  )
}
