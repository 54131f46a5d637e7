import { availableCopies, type RseTable } from '../catalog/index.ts'
import type { Db } from '../kernel/index.ts'
import { type LinkState, selectMatrix, selectTransfers, type TransferState } from './read.store.ts'
import { readFaults, type Side } from './storage-fault.store.ts'

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

export interface ExplainedSource {
  readonly rse: string
  readonly readable: boolean
  readonly failures: number
  /** Why nothing is read there at present. */
  readonly blocked: string | null
}

export interface TransferExplanation {
  readonly transfer: TransferState
  readonly sources: readonly ExplainedSource[]
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
  const faults = await readFaults(deps.db)
  const blocked = (side: Side): string | null => {
    const fault = faults.find((row) => row.rseId === side.rseId && row.side === side.side)
    return fault && fault.blockedUntil > now
      ? `It failed again and again since ${fault.since.toISOString()} (${fault.reason}); the next attempt is at ${fault.blockedUntil.toISOString()}.`
      : null
  }
  const sources: ExplainedSource[] = []
  for (const { rseId } of await availableCopies(deps.db, [fileId])) {
    const rse = await deps.rses.byId(vo, rseId)
    if (!rse || rseId === dstRseId) continue
    sources.push({
      rse: rse.name,
      readable: rse.canRead,
      failures: transfer.error?.sources?.[rseId]?.[0] ?? 0,
      blocked: blocked({ rseId, side: 'source' }),
    })
  }
  const destination = blocked({ rseId: dstRseId, side: 'destination' })
  return { transfer, sources, reason: reasonOf(transfer, sources, destination, now) }
}

function reasonOf(
  transfer: TransferState,
  sources: readonly ExplainedSource[],
  destination: string | null,
  now: Date,
): string {
  const { state, bytes, bytesDone, error, notBefore, attempt } = transfer
  if (state === 'verifying') return 'The bytes arrived; the destination is asked for size and checksum.'
  if (state === 'active') return `${bytesDone} of ${bytes} bytes arrived (start ${attempt}).`
  if (!sources.some((source) => source.readable))
    return 'There is no copy at an RSE that may be read; open one for reading or upload the file again.'
  if (destination) return `The destination takes nothing at present. ${destination}`
  const open = sources.filter((source) => source.readable && !source.blocked)
  if (open.length === 0)
    return `No source gives anything at present. ${sources.find((s) => s.blocked)?.blocked ?? ''}`
  const failed = error ? ` Last start failed: ${error.message} [${error.code}, ${error.party}].` : ''
  if (notBefore > now) return `Waits until ${notBefore.toISOString()} before start ${attempt + 1}.${failed}`
  return `Waits for a free slot on a link, or for the site of a source or the destination.${failed}`
}
