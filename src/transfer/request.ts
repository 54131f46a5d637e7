import { lockFiles, prepareReplicas, readReplicas, removeReplicas } from '../catalog/index.ts'
import { type Db, type Ids, publish, type Tx, transaction, wake } from '../kernel/index.ts'
import * as store from './transfer.store.ts'

export interface TransferWish {
  readonly fileId: bigint
  readonly dstRseId: number
  readonly bytes: bigint
  readonly activity: string
  /** 1 (lowest) to 5. */
  readonly priority: number
  /** Whatever lies at the destination is known to be bad and is replaced. */
  readonly overwrite: boolean
  /** Only sources that match this RSE expression. */
  readonly sourceExpression?: string | null
}

export interface TransferKey {
  readonly fileId: bigint
  readonly dstRseId: number
}

/** Topic that wakes the claiming worker. */
export const TRANSFER_WISHES = 'transfer_wish'
/** Topic on which running copies look whether they are still wanted. */
export const TRANSFERS_CANCELED = 'transfer_canceled'
/** A transfer that cannot be made within this time is given up. */
const PATIENCE_MS = 7 * 86_400_000

/**
 * Wishes for copies; a wish that exists already is not made twice. A destination without a replica row gets one in
 * state COPYING.
 */
export async function requestTransfers(
  db: Db,
  input: { vo: string; now: Date; ids: Ids; wishes: readonly TransferWish[] },
): Promise<{ created: number }> {
  const { vo, now, ids } = input
  const wishes = [...new Map(input.wishes.map((wish) => [keyText(wish), wish])).values()]
  if (wishes.length === 0) return { created: 0 }
  return transaction(db, async (tx) => {
    const replicas = wishes.map(({ fileId, dstRseId }) => ({ fileId, rseId: dstRseId }))
    const prepared = await prepareReplicas(tx, { now, replicas })
    const made = new Set(prepared.map(({ fileId, rseId }) => `${fileId} ${rseId}`))
    const transfers = wishes.map((wish) => ({
      ...wish,
      id: ids.uuid(),
      sourceExpression: wish.sourceExpression ?? null,
      madeReplica: made.has(keyText(wish)),
    }))
    const deadline = new Date(now.getTime() + PATIENCE_MS)
    const created = await store.insertTransfers(tx, { vo, now, deadline, transfers })
    if (created > 0) await wake(tx, TRANSFER_WISHES)
    return { created }
  })
}

/** Takes wishes back, running or not, and removes the COPYING rows made for them. Returns how many there were. */
export async function cancelTransfers(
  db: Db,
  input: { vo: string; now: Date; keys: readonly TransferKey[] },
): Promise<number> {
  const { vo, now, keys } = input
  if (keys.length === 0) return 0
  return transaction(db, async (tx) => {
    await lockFiles(tx, [...new Set(keys.map((key) => key.fileId))])
    const found = await store.lockByKeys(tx, vo, keys)
    if (found.length === 0) return 0
    const ended = found.map(({ id }) => ({ id, outcome: 'canceled' as const, error: null }))
    await store.endTransfers(tx, now, ended)
    await removeUnfinished(
      tx,
      vo,
      now,
      found.filter((t) => t.madeReplica),
    )
    await wake(tx, TRANSFERS_CANCELED)
    const payload = { count: found.length }
    await publish(tx, now, [{ vo, kind: 'transfer.canceled', subject: String(found[0]!.dstRseId), payload }])
    return found.length
  })
}

/** Removes replica rows that are still COPYING. */
export async function removeUnfinished(
  tx: Tx,
  vo: string,
  now: Date,
  keys: readonly TransferKey[],
): Promise<void> {
  if (keys.length === 0) return
  const replicas = await readReplicas(
    tx,
    keys.map(({ fileId, dstRseId }) => ({ fileId, rseId: dstRseId })),
  )
  const unfinished = replicas.filter((replica) => replica.state === 'COPYING')
  if (unfinished.length > 0) await removeReplicas(tx, { vo, now, replicas: unfinished })
}

function keyText(key: TransferKey): string {
  return `${key.fileId} ${key.dstRseId}`
}
