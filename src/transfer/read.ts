import { availableCopies, type RseTable } from '../catalog/index.ts'
import type { Db } from '../kernel/index.ts'
import { type LinkState, selectMatrix, selectTransfers, type TransferState } from './read.store.ts'

/** Unfinished transfers, paged by id. */
export async function listTransfers(
  db: Db,
  input: { vo: string; afterId?: string; limit?: number; fileIds?: readonly bigint[]; dstRseId?: number },
): Promise<TransferState[]> {
  return selectTransfers(db, { ...input, limit: input.limit ?? 100 })
}

/** Every link used since a time: what runs, what happened, and what its rate controller says. */
export async function transferMatrix(db: Db, input: { vo: string; since: Date }): Promise<LinkState[]> {
  return selectMatrix(db, input.vo, input.since)
}

export interface TransferExplanation {
  readonly transfer: TransferState
  readonly sources: readonly { rse: string; readable: boolean; failures: number }[]
  /** Why it is as it is, and what would change that. */
  readonly reason: string
}

/** Why a transfer stands where it stands; undefined when there is none (any more). */
export async function explainTransfer(
  deps: { db: Db; rses: RseTable },
  input: { vo: string; fileId: bigint; dstRseId: number; now: Date },
): Promise<TransferExplanation | undefined> {
  const { vo, fileId, dstRseId, now } = input
  const [transfer] = await selectTransfers(deps.db, { vo, fileIds: [fileId], dstRseId, limit: 1 })
  if (!transfer) return undefined
  const sources: { rse: string; readable: boolean; failures: number }[] = []
  for (const { rseId } of await availableCopies(deps.db, [fileId])) {
    const rse = await deps.rses.byId(vo, rseId)
    if (!rse || rseId === dstRseId) continue
    sources.push({
      rse: rse.name,
      readable: rse.canRead,
      failures: transfer.error?.sources?.[rseId]?.[0] ?? 0,
    })
  }
  return { transfer, sources, reason: reasonOf(transfer, sources, now) }
}

function reasonOf(
  transfer: TransferState,
  sources: readonly { rse: string; readable: boolean }[],
  now: Date,
): string {
  const { state, bytes, bytesDone, error, notBefore, attempt } = transfer
  if (state === 'verifying') return 'The bytes arrived; the destination is asked for size and checksum.'
  if (state === 'active') return `${bytesDone} of ${bytes} bytes arrived (start ${attempt}).`
  if (!sources.some((source) => source.readable))
    return 'There is no copy at an RSE that may be read; open one for reading or upload the file again.'
  const failed = error ? ` Last start failed: ${error.message} [${error.code}, ${error.party}].` : ''
  if (notBefore > now) return `Waits until ${notBefore.toISOString()} before start ${attempt + 1}.${failed}`
  return `Waits for a free slot on a link, or for the site of a source or the destination.${failed}`
}
