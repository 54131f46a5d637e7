import type { Db, Tx } from '../kernel/index.ts'
import type { ReplicaKey } from './replica.ts'

export interface MissingCopy extends ReplicaKey {
  readonly bytes: bigint
  readonly state: import('./types.ts').ReplicaState | null
}
/** Files of datasets that have no AVAILABLE copy at an RSE, for each pair (dataset, RSE) given. */
export async function missingCopies(
  db: Db,
  input: { targets: readonly { collectionId: bigint; rseId: number }[]; after?: ReplicaKey; limit?: number },
): Promise<MissingCopy[]> {
  throw new Error('unfinished')
}
/** Same for single files. */
export async function missingFileCopies(db: Db, replicas: readonly ReplicaKey[]): Promise<MissingCopy[]> {
  throw new Error('unfinished')
}
/** Locks file rows in id order: whoever changes copies, content or protection of a file holds this lock. */
export async function lockFiles(
  tx: Tx,
  fileIds: readonly bigint[],
  options?: { skipLocked?: boolean },
): Promise<bigint[]> {
  throw new Error('unfinished')
}
export interface CopyCount {
  readonly fileId: bigint
  readonly copies: number
  readonly failureDomains: number
}
/** AVAILABLE copies per file at RSEs other than `except`, and in how many sites; hold lockFiles for a firm answer. */
export async function countCopies(
  db: Db,
  input: { fileIds: readonly bigint[]; exceptRseIds?: readonly number[]; readableOnly?: boolean },
): Promise<CopyCount[]> {
  throw new Error('unfinished')
}
export interface SourceCopy extends ReplicaKey {
  readonly path: string | null
}
/** AVAILABLE copies of files, where transfers may read from. */
export async function availableCopies(db: Db, fileIds: readonly bigint[]): Promise<SourceCopy[]> {
  throw new Error('unfinished')
}
/** Copies whose tombstone has passed, oldest first, for a deleter (unlocked; check again under lockFiles). */
export async function deletableCopies(
  db: Db,
  input: { rseId: number; now: Date; limit: number },
): Promise<(ReplicaKey & { bytes: bigint; tombstone: Date })[]> {
  throw new Error('unfinished')
}
/** Files of datasets with a replica row at an RSE, in id order, paged: what a released placement has to look at. */
export async function replicasOfDataset(
  db: Db,
  input: { collectionId: bigint; rseId: number; afterFileId?: bigint; limit: number },
): Promise<
  (ReplicaKey & { bytes: bigint; tombstone: Date | null; state: import('./types.ts').ReplicaState })[]
> {
  throw new Error('unfinished')
}
/** File ids of a dataset in id order, paged. */
export async function fileIdsOfDataset(
  db: Db,
  input: { collectionId: bigint; afterFileId?: bigint; limit: number },
): Promise<{ fileId: bigint; bytes: bigint }[]> {
  throw new Error('unfinished')
}
/** Datasets each file is in. */
export async function datasetsOfFiles(
  db: Db,
  fileIds: readonly bigint[],
): Promise<{ fileId: bigint; collectionId: bigint }[]> {
  throw new Error('unfinished')
}
