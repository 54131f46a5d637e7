import type { Db } from '../kernel/index.ts'
import type { AnyDid, Did, KnownDid, NewCollection, NewFile } from './types.ts'

/** Creates datasets and containers. All or nothing. Throws did_exists, name_used_before, scope_not_found, invalid_name. */
export async function addCollections(
  db: Db,
  input: { vo: string; now: Date; accountId: number; collections: readonly NewCollection[] },
): Promise<KnownDid[]> {
  throw new Error('unfinished')
}
/** Registers file names without copies; known files with equal content are accepted. Throws file_consistency_mismatch. */
export async function addFiles(
  db: Db,
  input: { vo: string; now: Date; accountId: number; files: readonly NewFile[] },
): Promise<KnownDid[]> {
  throw new Error('unfinished')
}
/** Ids and kinds of names, in the order asked. Throws did_not_found naming the missing ones. */
export async function resolveDids(db: Db, input: { vo: string; dids: readonly Did[] }): Promise<KnownDid[]> {
  throw new Error('unfinished')
}
/** Like resolveDids, with undefined for what is not there. */
export async function findDids(
  db: Db,
  input: { vo: string; dids: readonly Did[] },
): Promise<(KnownDid | undefined)[]> {
  throw new Error('unfinished')
}
/** Names of ids (unknown ids are left out). */
export async function didsByIds(db: Db, ids: readonly bigint[]): Promise<KnownDid[]> {
  throw new Error('unfinished')
}
export async function getDids(db: Db, input: { vo: string; dids: readonly Did[] }): Promise<AnyDid[]> {
  throw new Error('unfinished')
}
export async function getDid(db: Db, input: { vo: string } & Did): Promise<AnyDid> {
  throw new Error('unfinished')
}
/** Everything about ids (unknown ids are left out), order not kept. */
export async function getDidsByIds(db: Db, ids: readonly bigint[]): Promise<AnyDid[]> {
  throw new Error('unfinished')
}
/** Open, close, make monotonic (never undone), set or clear the end of life. */
export async function setStatus(
  db: Db,
  input: { vo: string; now: Date; open?: boolean; monotonic?: boolean; expiresAt?: Date | null } & Did,
): Promise<void> {
  throw new Error('unfinished')
}
/** Collections whose life ended, oldest first. */
export async function expiredCollections(db: Db, input: { now: Date; limit: number }): Promise<KnownDid[]> {
  throw new Error('unfinished')
}
/** Removes collections from the catalogue (their names stay used); files stay. Returns parents whose content changed. */
export async function deleteCollections(
  db: Db,
  input: { vo: string; now: Date; ids: readonly bigint[] },
): Promise<void> {
  throw new Error('unfinished')
}
/** Marks files LOST, DELETED or AVAILABLE again. */
export async function setAvailability(
  db: Db,
  input: { now: Date; fileIds: readonly bigint[]; availability: 'AVAILABLE' | 'LOST' | 'DELETED' },
): Promise<void> {
  throw new Error('unfinished')
}
