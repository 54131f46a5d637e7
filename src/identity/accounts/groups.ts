import { grouped } from '../../kernel/grouped.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { checkedText } from '../people/names.ts'
import { accountsById } from './accounts.store.ts'
import type { Group, Membership, NewGroup } from './group.ts'
import * as store from './groups.store.ts'

export interface Groups {
  /** Parents must be there already or come in the same list. */
  createGroups(vo: string, groups: readonly NewGroup[], by?: string): Promise<Group[]>
  /** Throws group_missing. */
  group(vo: string, path: string): Promise<Group>
  groupsByUuid(vo: string, uuids: readonly string[]): Promise<Group[]>
  subgroups(group: Pick<Group, 'id'>): Promise<Group[]>
  updateGroup(
    vo: string,
    path: string,
    change: { description?: string; optional?: boolean; role?: boolean },
    by?: string,
  ): Promise<Group>
  /** Throws group_in_use while there are groups below it. */
  deleteGroup(vo: string, path: string, by?: string): Promise<void>
  /**
   * Also into all groups above. Throws group_missing, and account_missing for accounts that are not of the VO.
   * `until` null (the default) lasts until somebody removes it.
   */
  addMembers(
    vo: string,
    path: string,
    accountIds: readonly number[],
    options?: { until?: Date | null; origin?: string; by?: string },
  ): Promise<void>
  /** Also out of all groups below. */
  removeMembers(vo: string, path: string, accountIds: readonly number[], by?: string): Promise<void>
  membershipsOf(accountIds: readonly number[]): Promise<Map<number, Membership[]>>
  /** Paths of the groups that count without being asked for. */
  groupsOf(accountIds: readonly number[]): Promise<Map<number, string[]>>
  addManagers(vo: string, path: string, accountIds: readonly number[], by?: string): Promise<void>
  removeManagers(vo: string, path: string, accountIds: readonly number[], by?: string): Promise<void>
  /** Active managers by group id. */
  managersOf(groupIds: readonly number[]): Promise<Map<number, number[]>>
  /** The groups each of them manages. */
  managedGroups(accountIds: readonly number[]): Promise<Map<number, Group[]>>
  /** Who manages a group that this account is in. */
  managersOfMember(accountId: number): Promise<number[]>
  /** Some in and some out, or exactly these, in one step. */
  changeMembers(
    vo: string,
    path: string,
    change: { add: readonly number[]; remove: readonly number[] } | { exactly: readonly number[] },
    by?: string,
  ): Promise<void>
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/
/** The longest group part of a VOMS attribute. */
const LONGEST_PATH = 255
const LONGEST_DESCRIPTION = 1000

/** The path as it is, if it is one of the VO; throws invalid_group. */
export function checkedPath(vo: string, path: string): string {
  const [empty, root, ...names] = path.split('/')
  const good = empty === '' && root === vo && names.every((name) => NAME.test(name))
  if (good && path.length <= LONGEST_PATH) return path
  throw e.invalidGroup(
    `"${path.slice(0, 100)}" is no group of ${vo}: write the whole path, like /${vo}/analysis; letters, digits, "_", "." and "-", at most ${LONGEST_PATH} in all.`,
  )
}

export function createGroups(context: Context): Groups {
  const { db, ids, now, changing } = context
  const groupOf = async (tx: Context['db'], vo: string, path: string): Promise<Group> => {
    const [group] = await store.groupsByPath(tx, vo, [path])
    if (!group) throw e.groupMissing(`There is no group "${path}" in ${vo}.`)
    return group
  }
  const namesOf = async (
    tx: Context['db'],
    vo: string,
    list: readonly number[],
  ): Promise<Map<number, string>> => {
    const known = await accountsById(tx, list)
    const own = known.filter((account) => account.vo === vo && account.status !== 'DELETED')
    const names = new Map(own.map(({ id, name }) => [id, name]))
    const stranger = list.find((id) => !names.has(id))
    if (stranger !== undefined) throw e.accountMissing(`There is no account ${stranger} in ${vo}.`)
    return names
  }
  const self: Groups = {
    async createGroups(vo, list, by = 'grid') {
      for (const { path, description = '' } of list) {
        checkedText('description', description, LONGEST_DESCRIPTION)
        if (checkedPath(vo, path) === `/${vo}`)
          throw e.groupExists(`The group ${path} exists: it is the VO itself.`)
      }
      return changing(vo, list[0]?.path ?? '', async (tx) => {
        const made: Group[] = []
        const levels = grouped(list, ({ path }) => path.split('/').length)
        for (const depth of [...levels.keys()].sort((a, b) => a - b)) {
          const level = levels.get(depth)!.map((group) => ({
            ...group,
            uuid: ids.uuid(),
            parent: group.path.slice(0, group.path.lastIndexOf('/')),
          }))
          const inserted = await store.insertGroups(tx, vo, level, now())
          await refuseOmitted(tx, vo, level, inserted)
          made.push(...inserted)
        }
        await context.audit(
          tx,
          ...made.map(({ path, optional, role }) => ({
            ...{ vo, actor: by, action: 'group.created', target: path },
            detail: { optional, role },
          })),
        )
        return made
      })
    },
    group: (vo, path) => groupOf(db, vo, path),
    groupsByUuid: (vo, uuids) => store.groupsByUuid(db, vo, uuids),
    subgroups: ({ id }) => store.childrenOf(db, id),
    updateGroup: (vo, path, change, by = 'grid') =>
      changing(vo, path, async (tx) => {
        checkedText('description', change.description ?? '', LONGEST_DESCRIPTION)
        const group = await groupOf(tx, vo, path)
        if (path === `/${vo}` && (change.optional || change.role)) {
          throw e.invalidGroup(`${path} is the VO itself; it is neither optional nor a role.`)
        }
        await context.audit(tx, { vo, actor: by, action: 'group.changed', target: path, detail: change })
        return (await store.updateGroup(tx, group.id, change, now()))!
      }),
    async deleteGroup(vo, path, by = 'grid') {
      await changing(vo, path, async (tx) => {
        const group = await groupOf(tx, vo, path)
        if (path === `/${vo}`) throw e.groupInUse(`${path} is the VO itself and stays.`)
        const [child] = await store.childrenOf(tx, group.id)
        if (child)
          throw e.groupInUse(`${path} has groups below it, such as ${child.path}; remove those first.`)
        await store.deleteGroup(tx, group.id)
        await context.audit(tx, { vo, actor: by, action: 'group.deleted', target: path })
      })
    },
    async addMembers(vo, path, list, { until = null, origin = 'manual', by = 'grid' } = {}) {
      await changing(vo, path, async (tx) => {
        const group = await groupOf(tx, vo, path)
        const names = await namesOf(tx, vo, list)
        await store.holdAccounts(tx, list)
        const added = await store.insertMembers(tx, group, list, until, origin, now())
        await context.audit(
          tx,
          ...added.map((id) => ({
            ...{ vo, actor: by, action: 'group.member_added', target: names.get(id)! },
            detail: { group: path, until, origin },
          })),
        )
      })
    },
    async removeMembers(vo, path, list, by = 'grid') {
      await changing(vo, path, async (tx) => {
        const group = await groupOf(tx, vo, path)
        await store.holdAccounts(tx, list)
        const dropped = await store.dropMembers(tx, group, list)
        const names = new Map((await accountsById(tx, dropped)).map(({ id, name }) => [id, name]))
        await context.audit(
          tx,
          ...dropped.map((id) => ({
            ...{ vo, actor: by, action: 'group.member_removed', target: names.get(id)! },
            detail: { group: path },
          })),
        )
      })
    },
    async membershipsOf(list) {
      const found = await store.selectMemberships(db, list, now())
      const groups = grouped(found, ({ id }) => id)
      return new Map(
        [...groups].map(([id, rows]) => [id, rows.map(({ id: _id, ...membership }) => membership)]),
      )
    },
    async groupsOf(list) {
      const memberships = await self.membershipsOf(list)
      return new Map(
        [...memberships].map(([id, rows]) => [id, rows.filter((m) => !m.optional).map(({ path }) => path)]),
      )
    },
    async addManagers(vo, path, list, by = 'grid') {
      await changing(vo, path, async (tx) => {
        const group = await groupOf(tx, vo, path)
        const names = await namesOf(tx, vo, list)
        await store.insertManagers(tx, group.id, list, now())
        await noteManagers(tx, { vo, actor: by, action: 'group.manager_added' }, path, [...names.values()])
      })
    },
    async removeManagers(vo, path, list, by = 'grid') {
      await changing(vo, path, async (tx) => {
        const group = await groupOf(tx, vo, path)
        const names = (await accountsById(tx, list)).map(({ name }) => name)
        await store.dropManagers(tx, group.id, list)
        await noteManagers(tx, { vo, actor: by, action: 'group.manager_removed' }, path, names)
      })
    },
    async managersOf(groupIds) {
      const found = grouped(await store.selectManagers(db, groupIds), ({ groupId }) => groupId)
      return new Map([...found].map(([id, rows]) => [id, rows.map(({ accountId }) => accountId)]))
    },
    async managedGroups(list) {
      const found = grouped(await store.selectManaged(db, list), ({ manager }) => manager)
      return new Map(
        [...found].map(([id, rows]) => [id, rows.map(({ manager: _manager, ...group }) => group)]),
      )
    },
    managersOfMember: async (accountId) =>
      (await store.managersOfMember(db, accountId, now())).map(({ id }) => id),
    async changeMembers(vo, path, change, by = 'grid') {
      await changing(vo, path, async (tx) => {
        const inside = createGroups(context.within(tx))
        const { add, remove } = 'exactly' in change ? await difference(tx, vo, path, change.exactly) : change
        if (remove.length > 0) await inside.removeMembers(vo, path, remove, by)
        if (add.length > 0) await inside.addMembers(vo, path, add, { by })
      })
    },
  }
  const difference = async (tx: Context['db'], vo: string, path: string, exactly: readonly number[]) => {
    const wanted = new Set(exactly)
    const present = new Set(
      (await store.memberIds(tx, (await groupOf(tx, vo, path)).id, now())).map(({ id }) => id),
    )
    return {
      add: [...wanted].filter((id) => !present.has(id)),
      remove: [...present].filter((id) => !wanted.has(id)),
    }
  }
  const noteManagers = (
    tx: Context['db'],
    what: { vo: string; actor: string; action: string },
    group: string,
    names: readonly string[],
  ) => context.audit(tx, ...names.map((target) => ({ ...what, target, detail: { group } })))
  return self
}

async function refuseOmitted(
  tx: Context['db'],
  vo: string,
  wanted: readonly { path: string; parent: string }[],
  made: readonly Group[],
): Promise<void> {
  const omitted = wanted.find(({ path }) => !made.some((group) => group.path === path))
  if (!omitted && made.length === wanted.length) return
  const { path, parent } = omitted ?? wanted[0]!
  const [above] = await store.groupsByPath(tx, vo, [parent])
  if (!above) throw e.groupMissing(`There is no group "${parent}" in ${vo}; create it first.`)
  throw e.groupExists(`The group "${path}" exists already.`)
}
