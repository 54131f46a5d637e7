import type { Db } from '../kernel/index.ts'
import type { DidFilter, FoundDid } from './types.ts'

export interface Search {
  readonly vo: string
  readonly scope: string
  readonly filter: DidFilter
  readonly type?: 'all' | 'collection' | 'dataset' | 'container' | 'file'
  readonly recursive?: boolean
  readonly limit?: number
  readonly timeoutMs?: number
}
/** Names of a scope that pass the filter, in name order, in chunks. Throws invalid_filter, search_too_slow. */
export async function* searchDids(db: Db, input: Search): AsyncGenerator<FoundDid[]> {
  throw new Error('unfinished')
}
