import type { Db } from '../kernel/index.ts'
import type { DatasetReplica, Did, FileReplicas, NewReplica, Replica, ReplicaState } from './types.ts'

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
  throw new Error('unfinished')
}
export interface ReplicaKey {
  readonly fileId: bigint
  readonly rseId: number
}
export interface StateChange {
  readonly now: Date
  readonly replicas: readonly ReplicaKey[] /** Only from these states. */
  readonly from: readonly ReplicaState[]
  readonly to: ReplicaState
  readonly verifiedAt?: Date /** undefined: leave as it is. */
  readonly tombstone?: Date | null
}
/** Guarded bulk change; returns those that really changed. Counters and events in the same transaction. */
export async function changeReplicaStates(db: Db, input: { vo: string } & StateChange): Promise<Replica[]> {
  throw new Error('unfinished')
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
  throw new Error('unfinished')
}
/** Creates missing rows COPYING (for transfers and rules); leaves others. Returns the created. */
export async function prepareReplicas(
  db: Db,
  input: { now: Date; replicas: readonly (ReplicaKey & { path?: string | null })[] },
): Promise<ReplicaKey[]> {
  throw new Error('unfinished')
}
export async function markVerified(
  db: Db,
  input: { now: Date; replicas: readonly ReplicaKey[] },
): Promise<void> {
  throw new Error('unfinished')
}
/** Tombstone in bulk: null protects, a time releases. Returns how many changed. */
export async function setTombstones(
  db: Db,
  input: { replicas: readonly ReplicaKey[]; tombstone: Date | null },
): Promise<number> {
  throw new Error('unfinished')
}
/** Removes rows whatever their state; bad_replica records stay. */
export async function removeReplicas(
  db: Db,
  input: { vo: string; now: Date; replicas: readonly ReplicaKey[] },
): Promise<Replica[]> {
  throw new Error('unfinished')
}
export async function readReplicas(db: Db, replicas: readonly ReplicaKey[]): Promise<Replica[]> {
  throw new Error('unfinished')
}
export async function replicasOfFiles(db: Db, fileIds: readonly bigint[]): Promise<Replica[]> {
  throw new Error('unfinished')
}
export interface ReplicaQuery {
  readonly vo: string
  readonly dids: readonly Did[]
  readonly rseIds?: readonly number[] /** Default: only AVAILABLE. */
  readonly allStates?: boolean
  readonly updatedAfter?: Date
  readonly parents?: boolean
}
export interface ListedFile extends FileReplicas {
  /** Datasets asked for that hold it (`parents`). */ readonly parents: readonly Did[]
}
/** Files of names (collections expanded, each file once) with their copies, in chunks; a file without copies comes too. */
export async function* listReplicas(db: Db, input: ReplicaQuery): AsyncGenerator<ListedFile[]> {
  throw new Error('unfinished')
}
/** Completeness per RSE of datasets (containers expanded when `deep`). */
export async function datasetReplicas(
  db: Db,
  input: { vo: string; dids: readonly Did[]; deep?: boolean },
): Promise<DatasetReplica[]> {
  throw new Error('unfinished')
}
export async function datasetReplicasByIds(
  db: Db,
  collectionIds: readonly bigint[],
): Promise<DatasetReplica[]> {
  throw new Error('unfinished')
}
/** Datasets with at least one available file at an RSE. */
export async function datasetsAtRse(db: Db, rseId: number): Promise<DatasetReplica[]> {
  throw new Error('unfinished')
}
/** Names behind paths at an RSE, computed or stored; undefined where there is none. */
export async function didsOfPaths(
  db: Db,
  input: { vo: string; rse: import('./types.ts').Rse; paths: readonly string[] },
): Promise<(import('./types.ts').KnownDid | undefined)[]> {
  throw new Error('unfinished')
}
