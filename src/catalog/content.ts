import type { Db } from '../kernel/index.ts'
import type { Did, FileDid, KnownDid, NewReplica } from './types.ts'

export interface Attachment extends Did {
  /** Children that exist already, or, with `rseId`, copies to register in the same transaction. */
  readonly dids: readonly (Did & Partial<NewReplica>)[]
  readonly rseId?: number
}
/** Attaches children to parents: all or nothing. Throws duplicate_content (details.duplicates), unless ignoreDuplicate. */
export async function attach(
  db: Db,
  input: {
    vo: string
    now: Date
    accountId: number
    attachments: readonly Attachment[]
    ignoreDuplicate?: boolean
  },
): Promise<{ attached: number }> {
  throw new Error('unfinished')
}
/** Throws collection_monotonic, content_not_found. */
export async function detach(
  db: Db,
  input: { vo: string; now: Date; dids: readonly Did[] } & Did,
): Promise<{ detached: number }> {
  throw new Error('unfinished')
}
export interface ContentItem extends KnownDid {
  readonly bytes: bigint | null
  readonly adler32: string | null
  readonly md5: string | null
  readonly guid: string | null
}
/** Direct children, in chunks. */
export async function* listContent(db: Db, input: { vo: string } & Did): AsyncGenerator<ContentItem[]> {
  throw new Error('unfinished')
}
export interface FileOfCollection extends FileDid {
  readonly parentId: bigint | null
}
/** Files below names, datasets one after the other, in chunks; a file in two datasets comes twice. */
export async function* listFiles(
  db: Db,
  input: { vo: string; dids: readonly Did[] },
): AsyncGenerator<FileOfCollection[]> {
  throw new Error('unfinished')
}
/** Direct parents. */
export async function listParents(db: Db, input: { vo: string } & Did): Promise<KnownDid[]> {
  throw new Error('unfinished')
}
/** All collections above ids, themselves included when they are collections: pairs. */
export async function ancestorsOf(
  db: Db,
  ids: readonly bigint[],
): Promise<{ id: bigint; ancestorId: bigint }[]> {
  throw new Error('unfinished')
}
/** Datasets at or below collections (a dataset is its own), distinct. */
export async function datasetsOf(db: Db, collectionIds: readonly bigint[]): Promise<bigint[]> {
  throw new Error('unfinished')
}
