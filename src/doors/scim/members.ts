import type { Group, Identity } from '../../identity/index.ts'
import { badPath, badValue } from './errors.ts'
import type { Filter, PatchPath } from './filter.ts'
import { isObject, type PatchOperation } from './patch.ts'

type Change = { add: readonly number[]; remove: readonly number[] } | { exactly: readonly number[] }

const MOST = 200_000

/** What an operation on the members of a group comes to, without reading them all. */
export async function memberChange(
  identity: Pick<Identity, 'accountsByUuid'>,
  { vo }: Pick<Group, 'vo'>,
  value: unknown,
  op: PatchOperation['op'] = 'replace',
  path: PatchPath | null = null,
): Promise<Change> {
  if (path?.sub) throw badPath('A member is there or not; it has no parts to change.')
  const uuids = path?.filter ? uuidsIn(path.filter) : value === undefined ? [] : uuidsOf(value)
  const known = await identity.accountsByUuid(vo, uuids)
  const ids = [...known.values()]
  if (op === 'remove') {
    // Without a name all members are meant.
    return uuids.length === 0 ? { exactly: [] } : { add: [], remove: ids }
  }
  const stranger = uuids.find((uuid) => !known.has(uuid.toLowerCase()))
  if (stranger !== undefined) throw badValue(`There is no user ${stranger.slice(0, 60)} in ${vo}.`)
  return op === 'add' ? { add: ids, remove: [] } : { exactly: ids }
}

function uuidsOf(value: unknown): string[] {
  const list = Array.isArray(value) ? value : [value]
  if (list.length > MOST) throw badValue(`At most ${MOST} members at a time.`)
  return list.map((one) => {
    const uuid = isObject(one) ? one.value : one
    if (typeof uuid !== 'string') throw badValue('A member is given as {"value": its id}.')
    return uuid
  })
}

/** `members[value eq "…"]`, several of them joined by `or`. */
function uuidsIn(filter: Filter): string[] {
  if (filter.op === 'or') return filter.of.flatMap(uuidsIn)
  if (filter.op === 'eq' && filter.path === 'value' && typeof filter.value === 'string') return [filter.value]
  throw badPath('Members are chosen by their id: members[value eq "…"].')
}
