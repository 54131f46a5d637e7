import type { Db } from '../kernel/index.ts'
import { isPlainText } from '../kernel/plain-text.ts'
import { kindOf } from './codes.ts'
import { invalidFilter, invalidInput, searchTooSlow } from './errors.ts'
import { scopeIds } from './scope.ts'
import * as store from './search.store.ts'
import { conditionOf } from './search-filter.ts'
import type { FoundDid, Search } from './types.ts'

const FIRST_PAGE = 100
const PAGE = 1000
const TIMEOUT_MS = 30_000
const NO_LIMIT = 1e15

/** Names of a scope that pass the filter, in name order, in chunks. Throws invalid_filter, search_too_slow. */
export async function* searchDids(db: Db, input: Search): AsyncGenerator<FoundDid[]> {
  const {
    vo,
    scope,
    filter,
    type = 'all',
    recursive = false,
    limit = NO_LIMIT,
    timeoutMs = TIMEOUT_MS,
  } = input
  if (!(Number.isInteger(limit) && limit >= 0)) throw invalidInput('The limit is a whole number from 0.')
  if (!(Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    throw invalidInput('The time limit is a whole number of milliseconds.')
  }
  if (!isPlainText(scope)) throw invalidFilter('The scope holds NUL or half characters.')
  const condition = conditionOf(filter, scope)
  const scopeId = (await scopeIds(db, vo, [scope])).get(scope)!
  const query = { scopeId, condition, type }
  const timely = <T>(work: (tx: Db) => Promise<T>) => inTime(db, timeoutMs, work)

  if (recursive) {
    const ids = await timely((tx) => store.selectIdsBelow(tx, { ...query, limit }))
    for (let from = 0, size = FIRST_PAGE; from < ids.length; from += size, size = PAGE) {
      const page = ids.slice(from, from + size).map(({ id }) => id)
      const found = await timely((tx) => store.selectByIds(tx, page))
      if (found.length > 0) yield found.map(foundDid)
    }
    return
  }
  let after: string | undefined
  for (let left = limit, size = FIRST_PAGE; left > 0; size = PAGE) {
    const wanted = Math.min(size, left)
    const page = { ...query, limit: wanted, ...(after !== undefined && { after }) }
    const found = await timely(async (tx) => (await store.pageQuery(page).execute(tx)).rows)
    if (found.length > 0) yield found.map(foundDid)
    if (found.length < wanted) return
    left -= wanted
    after = found.at(-1)!.name
  }
}

const foundDid = ({ kind, ...row }: store.FoundRow): FoundDid => ({ ...row, kind: kindOf(kind) })

async function inTime<T>(db: Db, ms: number, work: (tx: Db) => Promise<T>): Promise<T> {
  try {
    return await store.withinTime(db, ms, work)
  } catch (error) {
    if (!store.isTooSlow(error)) throw error
    throw searchTooSlow(
      `The search took longer than ${ms / 1000} s; give the beginning of the name or a metadata key with "=".`,
      { timeoutMs: ms },
      error,
    )
  }
}
