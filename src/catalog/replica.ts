import { type Db, publish, type Tx, transaction } from '../kernel/index.ts'
import { chunks, didText, some } from './codes.ts'
import { holdFiles, lockFiles } from './copies.store.ts'
import { invalidInput, replicaExists, replicaNotFound, replicaStateConflict, rseNotFound } from './errors.ts'
import { ensureFileRows } from './file-rows.store.ts'
import { computePath } from './pfn.ts'
import * as store from './replica.store.ts'
import type { Did, NewReplica, Replica, ReplicaKey, ReplicaState } from './types.ts'

export * from './replica-list.ts'
export type { ReplicaKey } from './types.ts'

const CHUNK = 10_000

/** Registers copies, and the files that are new. A copy still being made may be registered again. Throws file_consistency_mismatch, replica_exists. */
export async function addReplicas(
  db: Db,
  input: {
    vo: string
    now: Date
    accountId: number
    rseId: number
    files: readonly NewReplica[]
    ignoreDuplicate?: boolean
  },
): Promise<{ fileId: bigint; added: boolean }[]> {
  const { vo, now, rseId, files } = input
  if (files.length === 0) return []
  return transaction(db, async (tx) => {
    const rse = await store.selectPlacedRse(tx, vo, rseId)
    if (!rse) throw rseNotFound(`There is no RSE with id ${rseId}.`)
    const paths = files.map((file) => storedPath(rse, file))
    const ensured = await ensureFileRows(tx, input)
    const wanted: WantedCopy[] = []
    const placeOf = new Map<bigint, number>()
    ensured.forEach(({ id: fileId, created }, place) => {
      if (placeOf.has(fileId)) return
      placeOf.set(fileId, place)
      const { bytes, state = 'AVAILABLE', tombstone = null } = files[place]!
      wanted.push({ fileId, rseId, state, tombstone, path: paths[place]!, bytes, place, isNewFile: created })
    })
    const known = wanted.filter((copy) => !copy.isNewFile)
    const first = known.length === 0 ? wanted : wanted.filter((copy) => copy.isNewFile)
    for (const chunk of chunks(first, CHUNK)) await store.insertFirstReplicas(tx, chunk)
    if (known.length > 0) await holdFiles(tx, idsOf(known))
    const further: WantedCopy[] = []
    for (const chunk of chunks(known, CHUNK)) further.push(...(await store.insertReplicas(tx, chunk)))
    const added = [...first, ...further]
    const available = added.filter((copy) => copy.state === 'AVAILABLE')
    await store.addNewCopyDeltas(tx, rseId, available)
    const again = available.filter((copy) => !copy.isNewFile)
    if (again.length > 0) await store.restoreAvailability(tx, idsOf(again))
    const addedIds = new Set(idsOf(added))
    await announceAgain(
      tx,
      input,
      known.filter((copy) => !addedIds.has(copy.fileId)),
    )
    await tell(tx, vo, now, 'added', added)
    return ensured.map(({ id }, place) => ({
      fileId: id,
      added: placeOf.get(id) === place && addedIds.has(id),
    }))
  })
}

interface WantedCopy extends store.InsertedReplica {
  readonly bytes: bigint
  /** In the list given. */
  readonly place: number
  /** Nobody else can know the file yet, so nothing refers to it. */
  readonly isNewFile: boolean
}

/** What the path column holds: nothing where the path follows from the name. */
function storedPath(rse: store.PlacedRse, file: NewReplica): string | null {
  const given = file.path?.replace(/^\/+/, '') ?? null
  if (!rse.deterministic) {
    if (!given) throw invalidInput(`${rse.name} is not deterministic: give the path of ${didText(file)}.`)
    return given
  }
  if (given === null) return null
  const computed = computePath(
    { attributes: rse.algorithm ? { lfn2pfn_algorithm: rse.algorithm } : {} },
    file,
  )
  if (given !== computed) {
    throw invalidInput(
      `${rse.name} is deterministic: ${didText(file)} lies at ${computed} there, not at ${given}. Leave the path out.`,
    )
  }
  return null
}

/** Copies registered before: a copy in the making may be announced again, and may be ready now. */
async function announceAgain(
  tx: Tx,
  input: { vo: string; now: Date; files: readonly NewReplica[]; ignoreDuplicate?: boolean },
  again: readonly WantedCopy[],
): Promise<void> {
  if (again.length === 0) return
  const states = new Map((await store.selectReplicas(tx, again)).map((r) => [r.fileId, r.state]))
  const duplicate = again.filter((r) => states.get(r.fileId) !== 'COPYING')
  if (duplicate.length > 0 && !input.ignoreDuplicate) {
    const texts = duplicate.map((r) => didText(input.files[r.place]!))
    throw replicaExists(`Copies exist already at this RSE: ${some(texts)}.`, { files: texts.slice(0, 100) })
  }
  const ready = again.filter((r) => states.get(r.fileId) === 'COPYING' && r.state === 'AVAILABLE')
  await changeReplicaStates(tx, { ...input, replicas: ready, from: ['COPYING'], to: 'AVAILABLE' })
}

const idsOf = (keys: readonly ReplicaKey[]): bigint[] => keys.map((key) => key.fileId)

/** One event per call: listeners look up what they need. */
async function tell(
  tx: Tx,
  vo: string,
  now: Date,
  change: string,
  keys: readonly ReplicaKey[],
): Promise<void> {
  if (keys.length === 0) return
  const rseIds = [...new Set(keys.map((key) => key.rseId))]
  await publish(tx, now, [
    {
      vo,
      kind: 'catalog.replica_changed',
      subject: rseIds.length === 1 ? String(rseIds[0]) : '*',
      payload: { change, replicas: keys.length, rseIds },
    },
  ])
}

export interface StateChange {
  readonly now: Date
  readonly replicas: readonly (ReplicaKey & { readonly path?: string | null })[]
  /** Only from these states. */
  readonly from: readonly ReplicaState[]
  readonly to: ReplicaState
  readonly verifiedAt?: Date
  /** undefined: leave as it is. */
  readonly tombstone?: Date | null
}
/** Guarded bulk change; returns those that really changed. Counters and events in the same transaction. */
export async function changeReplicaStates(db: Db, input: { vo: string } & StateChange): Promise<Replica[]> {
  const { replicas, to } = input
  if (replicas.length === 0) return []
  return transaction(db, async (tx) => {
    await lockFiles(tx, idsOf(replicas))
    const changed: store.ChangedReplica[] = []
    for (const chunk of chunks(replicas, CHUNK)) {
      const moved = await store.updateStates(tx, { ...input, replicas: chunk })
      if (to === 'AVAILABLE') {
        const gained = moved.filter((r) => r.before !== 'AVAILABLE')
        await store.addAvailabilityDeltas(tx, gained, 1)
        if (gained.length > 0) await store.restoreAvailability(tx, idsOf(gained))
      } else {
        await store.addAvailabilityDeltas(
          tx,
          moved.filter((r) => r.before === 'AVAILABLE'),
          -1,
        )
      }
      for (const replica of moved) changed.push(replica)
    }
    await tell(tx, input.vo, input.now, to, changed)
    return changed.map(({ before, ...replica }) => replica)
  })
}

/** What a client may report, and from which states. Deletion and bad copies have ways of their own. */
const REPORTABLE: Readonly<Partial<Record<ReplicaState, readonly ReplicaState[]>>> = {
  AVAILABLE: ['COPYING', 'UNAVAILABLE', 'TEMPORARY_UNAVAILABLE', 'SUSPICIOUS', 'AVAILABLE'],
  UNAVAILABLE: ['COPYING', 'AVAILABLE', 'TEMPORARY_UNAVAILABLE', 'UNAVAILABLE'],
  TEMPORARY_UNAVAILABLE: ['AVAILABLE', 'UNAVAILABLE', 'TEMPORARY_UNAVAILABLE'],
  COPYING: ['UNAVAILABLE', 'COPYING'],
}

/** States by name, as clients report them after an upload. Throws replica_not_found, replica_state_conflict. */
export async function setReplicaStates(
  db: Db,
  input: {
    vo: string
    now: Date
    rseId: number
    files: readonly (Did & { state: ReplicaState; path?: string })[]
  },
): Promise<void> {
  const { vo, now, rseId, files } = input
  await transaction(db, async (tx) => {
    const ids = new Map((await store.selectFileIds(tx, vo, files)).map((f) => [f.place, f.id]))
    await lockFiles(tx, [...ids.values()])
    const keys = [...ids.values()].map((fileId) => ({ fileId, rseId }))
    const states = new Map((await store.selectReplicas(tx, keys)).map((r) => [r.fileId, r.state]))
    const missing = files.filter((_, place) => !ids.has(place) || !states.has(ids.get(place)!))
    if (missing.length > 0) {
      throw replicaNotFound(`There is no such copy at this RSE: ${some(missing.map(didText))}.`, {
        files: missing.slice(0, 100).map(didText),
      })
    }
    const changes = groupPlaces(files)
    for (const [to, places] of changes) {
      const from = REPORTABLE[to] ?? []
      const refused = places.filter((place) => !from.includes(states.get(ids.get(place)!)!))
      if (refused.length > 0) {
        const texts = refused.map((place) => `${didText(files[place]!)} (${states.get(ids.get(place)!)})`)
        throw replicaStateConflict(`Copies cannot be reported ${to} now: ${some(texts)}.`)
      }
      const replicas = places.map((place) => ({
        fileId: ids.get(place)!,
        rseId,
        path: files[place]!.path?.replace(/^\/+/, '') ?? null,
      }))
      const moved = replicas.filter((r) => states.get(r.fileId) !== to)
      await changeReplicaStates(tx, { vo, now, replicas: moved, from, to })
    }
  })
}

function groupPlaces(files: readonly { state: ReplicaState }[]): Map<ReplicaState, number[]> {
  const groups = new Map<ReplicaState, number[]>()
  files.forEach((file, place) => {
    const group = groups.get(file.state)
    if (group) group.push(place)
    else groups.set(file.state, [place])
  })
  return groups
}

/** Creates missing rows COPYING (for transfers and rules); leaves others. Returns the created. */
export async function prepareReplicas(
  db: Db,
  input: { now: Date; replicas: readonly (ReplicaKey & { path?: string | null })[] },
): Promise<ReplicaKey[]> {
  return transaction(db, async (tx) => {
    const known = new Set(await lockFiles(tx, idsOf(input.replicas)))
    const created: ReplicaKey[] = []
    const wanted = input.replicas
      .filter((r) => known.has(r.fileId))
      .map((r) => ({ ...r, path: r.path ?? null, state: 'COPYING' as const, tombstone: null }))
    for (const chunk of chunks(wanted, CHUNK)) created.push(...(await store.insertReplicas(tx, chunk)))
    return created
  })
}

/** Notes that copies were looked at and found good. */
export async function markVerified(
  db: Db,
  input: { now: Date; replicas: readonly ReplicaKey[] },
): Promise<void> {
  await transaction(db, async (tx) => {
    await lockFiles(tx, idsOf(input.replicas))
    await store.updateVerified(tx, input.replicas, input.now)
  })
}

/** The tombstone of a copy that is given up at once, whether or not space is needed. */
export const AT_ONCE = new Date(0)

/** Tombstone in bulk: null protects, a time releases. Returns how many changed. */
export async function setTombstones(
  db: Db,
  input: { replicas: readonly ReplicaKey[]; tombstone: Date | null },
): Promise<number> {
  return transaction(db, async (tx) => {
    await lockFiles(tx, idsOf(input.replicas))
    let changed = 0
    for (const chunk of chunks(input.replicas, CHUNK)) {
      changed += await store.updateTombstones(tx, chunk, input.tombstone)
    }
    return changed
  })
}

/**
 * Copies that were read just now: those that may go when their turn comes move to the end of the queue. Protected ones
 * and those given up at once stay as they are.
 */
export async function touchCopies(
  db: Db,
  input: { now: Date; replicas: readonly ReplicaKey[] },
): Promise<void> {
  if (input.replicas.length === 0) return
  await transaction(db, async (tx) => {
    await lockFiles(tx, idsOf(input.replicas))
    await store.delayTombstones(tx, input.replicas, { after: AT_ONCE, to: input.now })
  })
}

/** Removes rows whatever their state; bad_replica records stay. */
export async function removeReplicas(
  db: Db,
  input: { vo: string; now: Date; replicas: readonly ReplicaKey[] },
): Promise<Replica[]> {
  return transaction(db, async (tx) => {
    await lockFiles(tx, idsOf(input.replicas))
    const removed: Replica[] = []
    for (const chunk of chunks(input.replicas, CHUNK)) {
      const gone = await store.deleteReplicas(tx, chunk)
      await store.addAvailabilityDeltas(
        tx,
        gone.filter((r) => r.state === 'AVAILABLE'),
        -1,
      )
      for (const replica of gone) removed.push(replica)
    }
    await tell(tx, input.vo, input.now, 'removed', removed)
    return removed
  })
}

export async function readReplicas(db: Db, replicas: readonly ReplicaKey[]): Promise<Replica[]> {
  return store.selectReplicas(db, replicas)
}

export async function replicasOfFiles(db: Db, fileIds: readonly bigint[]): Promise<Replica[]> {
  return store.selectReplicasOfFiles(db, fileIds)
}
