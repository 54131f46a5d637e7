import {
  changeReplicaStates,
  declareReplicas,
  lockFiles,
  type ReplicaKey,
  readReplicas,
  resolveDeclarations,
  touchCopies,
} from '../catalog/index.ts'
import { type Db, type GridEvent, publish, type Tx, transaction, wake } from '../kernel/index.ts'
import type { TransferError } from './classify.ts'
import { removeUnfinished, TRANSFER_WISHES } from './request.ts'
import * as store from './transfer.store.ts'

export interface TransferOutcome {
  readonly vo: string
  readonly fileId: bigint
  readonly dstRseId: number
  readonly srcRseId: number | null
  /** `adopted`: the bytes were there already, from a start whose outcome was lost. */
  readonly result: 'done' | 'adopted' | 'failed' | 'retrying'
  readonly error: TransferError | null
  readonly attempts: number
  readonly bytes: bigint
  readonly activity: string
  /** Only of `retrying`. */
  readonly nextTry: Date | null
}

/** Called inside the transaction that commits the outcomes: what follows from them is written there or not at all. */
export type Settle = (tx: Db, input: { now: Date; outcomes: readonly TransferOutcome[] }) => Promise<void>

/** How one start ended. */
export interface Ending {
  readonly row: store.TransferRow
  readonly attempt: number
  readonly srcRseId: number | null
  readonly result: TransferOutcome['result'] | 'released'
  readonly error: TransferError | null
  readonly tries?: { readonly failures: number; readonly waits: number }
  readonly nextTry?: Date
  /** What the transfer knows of its sources after this start. */
  readonly sources?: store.LastError['sources']
  /** The source told wrong bytes. */
  readonly suspicious?: boolean
}

const NOT_YET = ['COPYING', 'UNAVAILABLE', 'TEMPORARY_UNAVAILABLE'] as const
const REPLACED = [...NOT_YET, 'BAD', 'SUSPICIOUS'] as const

/**
 * Commits endings in one transaction. An ending whose lease was lost writes nothing. Returns what was settled.
 */
export async function commitEndings(
  db: Db,
  input: { now: Date; owner: string; endings: readonly Ending[]; settle: Settle },
): Promise<TransferOutcome[]> {
  const { now, owner, settle } = input
  return transaction(db, async (tx) => {
    // Files before transfers: everybody who changes copies locks in this order.
    await lockFiles(tx, [...new Set(input.endings.map((e) => e.row.fileId))])
    const held = await store.lockHeld(tx, owner, input.endings.map(heldOf))
    const mine = input.endings.filter((e) => held.has(e.row.id))
    await store.releaseHeld(tx, owner, now, mine.filter((e) => e.result === 'released').map(heldOf))
    const endings: Ending[] = []
    for (const vo of new Set(mine.map((e) => e.row.vo)))
      endings.push(
        ...(await arrive(
          tx,
          vo,
          now,
          mine.filter((e) => e.row.vo === vo),
        )),
      )

    await store.requeue(tx, endings.filter((e) => e.result === 'retrying').map(requeuedOf))
    const ended = endings.filter((e) => e.result !== 'retrying')
    await store.endTransfers(tx, now, ended.map(endedOf))
    await blameSources(tx, now, endings)
    await touchCopies(tx, { now, replicas: endings.filter((e) => e.result === 'done').flatMap(sourceOf) })
    for (const vo of new Set(ended.map((e) => e.row.vo))) {
      const lost = ended.filter(
        (e) => e.row.vo === vo && e.result === 'failed' && held.get(e.row.id)?.madeReplica,
      )
      await removeUnfinished(
        tx,
        vo,
        now,
        lost.map((e) => e.row),
      )
    }
    const outcomes = endings.map(outcomeOf)
    if (outcomes.length > 0) await settle(tx, { now, outcomes })
    await publish(tx, now, eventsOf(endings))
    // Claimers learn when the retries are due.
    if (ended.length < endings.length) await wake(tx, TRANSFER_WISHES)
    return outcomes
  })
}

const heldOf = (e: Ending): store.Held => ({ id: e.row.id, attempt: e.attempt })
const copyOf = (e: Ending): ReplicaKey => ({ fileId: e.row.fileId, rseId: e.row.dstRseId })
const sourceOf = (e: Ending): ReplicaKey[] =>
  e.srcRseId === null ? [] : [{ fileId: e.row.fileId, rseId: e.srcRseId }]
const succeeded = (e: Ending): boolean => e.result === 'done' || e.result === 'adopted'
const keyText = (key: ReplicaKey): string => `${key.fileId} ${key.rseId}`

/** Makes the copies that came AVAILABLE; what is no longer wanted there becomes a failure. */
async function arrive(tx: Tx, vo: string, now: Date, mine: readonly Ending[]): Promise<Ending[]> {
  const there = new Set<string>()
  for (const overwrite of [false, true]) {
    const replicas = mine.filter((e) => succeeded(e) && e.row.overwrite === overwrite).map(copyOf)
    if (replicas.length === 0) continue
    const from = overwrite ? REPLACED : NOT_YET
    const changed = await changeReplicaStates(tx, {
      vo,
      now,
      replicas,
      from,
      to: 'AVAILABLE',
      verifiedAt: now,
    })
    for (const replica of changed) there.add(keyText(replica))
    if (overwrite) await resolveDeclarations(tx, { now, replicas, outcome: 'RECOVERED' })
  }
  const unchanged = mine.filter((e) => succeeded(e) && !there.has(keyText(copyOf(e))))
  if (unchanged.length > 0)
    for (const replica of await readReplicas(tx, unchanged.map(copyOf)))
      if (replica.state === 'AVAILABLE') there.add(keyText(replica))
  return mine
    .filter((e) => e.result !== 'released')
    .map((e) =>
      !succeeded(e) || there.has(keyText(copyOf(e)))
        ? e
        : {
            ...e,
            result: 'failed' as const,
            error: {
              code: 'destination_changed',
              message:
                'The bytes arrived, but the copy at the destination was removed or declared bad meanwhile.',
              party: 'destination' as const,
            },
          },
    )
}

async function blameSources(tx: Tx, now: Date, endings: readonly Ending[]): Promise<void> {
  const blamed = endings.filter((e) => e.suspicious && e.srcRseId !== null)
  for (const vo of new Set(blamed.map((e) => e.row.vo))) {
    const mine = blamed.filter((e) => e.row.vo === vo)
    await declareReplicas(tx, {
      vo,
      now,
      accountId: null,
      state: 'SUSPICIOUS',
      reason: `a transfer read something else there: ${mine[0]!.error?.message ?? ''}`.slice(0, 250),
      replicas: mine.map((e) => ({ fileId: e.row.fileId, rseId: e.srcRseId! })),
    })
  }
}

function requeuedOf(e: Ending): store.Requeued {
  const error = { ...e.error!, ...(e.sources && { sources: e.sources }) }
  return { id: e.row.id, failures: e.tries!.failures, waits: e.tries!.waits, notBefore: e.nextTry!, error }
}

function endedOf(e: Ending): store.Ended {
  return { id: e.row.id, outcome: e.result as store.Ended['outcome'], error: e.error }
}

function outcomeOf(e: Ending): TransferOutcome {
  return {
    vo: e.row.vo,
    fileId: e.row.fileId,
    dstRseId: e.row.dstRseId,
    srcRseId: e.srcRseId,
    result: e.result as TransferOutcome['result'],
    error: e.error,
    attempts: e.attempt,
    bytes: e.row.bytes,
    activity: e.row.activity,
    nextTry: e.nextTry ?? null,
  }
}

/** One event per destination and result, however many files. */
function eventsOf(endings: readonly Ending[]): GridEvent[] {
  const events = new Map<
    string,
    { vo: string; kind: string; subject: string; count: number; bytes: bigint }
  >()
  for (const e of endings) {
    if (e.result === 'retrying') continue
    const kind = e.result === 'failed' ? 'transfer.failed' : 'transfer.done'
    const key = `${e.row.vo} ${kind} ${e.row.dstRseId}`
    const known = events.get(key)
    const sum = known ?? { vo: e.row.vo, kind, subject: String(e.row.dstRseId), count: 0, bytes: 0n }
    events.set(key, { ...sum, count: sum.count + 1, bytes: sum.bytes + e.row.bytes })
  }
  return [...events.values()].map(({ count, bytes, ...event }) => ({
    ...event,
    payload: { count, bytes: bytes.toString() },
  }))
}
