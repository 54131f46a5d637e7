import type { Db } from '../kernel/index.ts'
import type { Did, Metadata, MetadataValue } from './types.ts'

/** Sets keys of names; `recursive` also of everything below. A null value deletes the key. */
export async function setMetadata(
  db: Db,
  input: { vo: string; now: Date; changes: readonly (Did & { meta: Metadata })[]; recursive?: boolean },
): Promise<void> {
  throw new Error('unfinished')
}
/** Throws metadata_key_not_found. */
export async function deleteMetadata(
  db: Db,
  input: { vo: string; now: Date; key: string } & Did,
): Promise<void> {
  throw new Error('unfinished')
}
export interface DidMetadata extends Did {
  /** Free keys. */ readonly meta: Metadata /** Virtual columns: did_type, bytes, length, adler32, md5, guid, … */
  readonly columns: Readonly<Record<string, MetadataValue | bigint | Date>>
}
/** Metadata of names in the order asked; `inherit` lays a file's own keys over its datasets'. */
export async function getMetadata(
  db: Db,
  input: { vo: string; dids: readonly Did[]; inherit?: boolean },
): Promise<DidMetadata[]> {
  throw new Error('unfinished')
}
