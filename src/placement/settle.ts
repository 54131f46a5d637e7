import { resolveDeclarations } from '../catalog/index.ts'
import { type Db, transaction } from '../kernel/index.ts'
import { settleStates } from './evaluate.ts'
import * as gaps from './gap.store.ts'

/** What became of a copy, as transfer tells it. */
export interface CopyOutcome {
  readonly fileId: bigint
  readonly dstRseId: number
  readonly srcRseId: number | null
  readonly result: 'done' | 'adopted' | 'failed' | 'retrying'
  readonly error: { readonly code: string; readonly message: string; readonly party: string } | null
  readonly attempts: number
  readonly nextTry: Date | null
}

/**
 * Takes outcomes of transfers into the rules that wait for them, inside the transaction that commits the outcome:
 * closes gaps, writes errors, sets states.
 */
export async function settle(
  db: Db,
  { now, outcomes }: { now: Date; outcomes: readonly CopyOutcome[] },
): Promise<void> {
  await transaction(db, async (tx) => {
    const there = outcomes
      .filter(({ result }) => result === 'done' || result === 'adopted')
      .map(({ fileId, dstRseId }) => ({ fileId, rseId: dstRseId }))
    await resolveDeclarations(tx, { now, replicas: there, outcome: 'RECOVERED' })
    const copies = outcomes.map(({ fileId, dstRseId }) => ({ fileId, rseId: dstRseId }))
    const waiting = await gaps.lockRulesWaitingFor(tx, copies)
    if (waiting.length === 0) return
    await gaps.closeGaps(tx, there)
    const open = outcomes.filter(({ result }) => result === 'failed' || result === 'retrying')
    await gaps.updateGaps(
      tx,
      now,
      open.map(({ fileId, dstRseId, srcRseId, result, error, nextTry }) => ({
        fileId,
        rseId: dstRseId,
        state: result === 'failed' ? 'failed' : 'moving',
        attempts: 1,
        error: error && { ...error, source: srcRseId },
        nextTry,
      })),
    )
    await settleStates(
      tx,
      now,
      waiting.map(({ id }) => id),
    )
  })
}
