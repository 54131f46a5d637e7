import type { Context } from '../context.ts'
import { accountMissing, groupMissing, invalidGroup } from '../errors.ts'
import { accountsById } from './accounts.store.ts'
import * as store from './groups.store.ts'

export interface Groups {
  createGroups(vo: string, groups: readonly { path: string; optional?: boolean }[]): Promise<void>
  /** Throws group_missing, and account_missing for accounts that are not of the VO. */
  addMembers(vo: string, path: string, accountIds: readonly number[]): Promise<void>
  removeMembers(vo: string, path: string, accountIds: readonly number[]): Promise<void>
  groupsOf(accountIds: readonly number[]): Promise<Map<number, string[]>>
}

const PATH = /^(\/[A-Za-z0-9][A-Za-z0-9_.-]*)+$/

export function createGroups({ db, now, changing }: Context): Groups {
  const groupOf = async (tx: Context['db'], vo: string, path: string): Promise<number> => {
    const group = await store.groupOf(tx, vo, path)
    if (!group) throw groupMissing(`There is no group "${path}" in ${vo}.`)
    return group.id
  }
  return {
    async createGroups(vo, list) {
      for (const { path } of list) {
        if (!PATH.test(path))
          throw invalidGroup(`"${path}" is no group path; write it like /analysis/b-decays.`)
      }
      await changing(vo, list[0]?.path ?? '', (tx) => store.insertGroups(tx, vo, list, now()))
    },
    async addMembers(vo, path, list) {
      await changing(vo, path, async (tx) => {
        const group = await groupOf(tx, vo, path)
        const known = await accountsById(tx, list)
        const stranger = list.find((id) => !known.some((account) => account.id === id && account.vo === vo))
        if (stranger !== undefined) throw accountMissing(`There is no account ${stranger} in ${vo}.`)
        await store.insertMembers(tx, group, list, now())
      })
    },
    async removeMembers(vo, path, list) {
      await changing(vo, path, async (tx) => store.dropMembers(tx, await groupOf(tx, vo, path), list))
    },
    async groupsOf(list) {
      const found = new Map<number, string[]>()
      for (const { id, path } of await store.selectGroups(db, list, now())) {
        found.set(id, [...(found.get(id) ?? []), path])
      }
      return found
    },
  }
}
