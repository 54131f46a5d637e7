import { groupsByPath } from '../accounts/groups.store.ts'
import { checkedPath } from '../accounts/groups.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { type PeopleSettings, selectSettings, updateSettings } from './settings.store.ts'

export type { PeopleSettings } from './settings.store.ts'

export interface Settings {
  /** Throws vo_missing. */
  peopleSettings(vo: string): Promise<PeopleSettings>
  setPeopleSettings(vo: string, change: Partial<PeopleSettings>, by: string): Promise<PeopleSettings>
}

const MOST_DAYS = 3650

export function createSettings(context: Context): Settings {
  const { db, changing } = context
  const settingsOf = async (tx: Context['db'], vo: string): Promise<PeopleSettings> => {
    const found = await selectSettings(tx, vo)
    if (!found) throw e.voMissing(`There is no VO ${vo}.`)
    return found
  }
  return {
    peopleSettings: (vo) => settingsOf(db, vo),
    setPeopleSettings: (vo, change, by) =>
      changing(vo, vo, async (tx) => {
        const next = { ...(await settingsOf(tx, vo)), ...change }
        for (const days of [next.suspensionGraceDays, next.removalGraceDays]) {
          if (Number.isInteger(days) && days >= 0 && days <= MOST_DAYS) continue
          throw e.invalidRequest(`Days are whole numbers from 0 to ${MOST_DAYS}.`)
        }
        const paths = [...new Set(next.defaultGroups.map((path) => checkedPath(vo, path)))]
        const known = (await groupsByPath(tx, vo, paths)).map(({ path }) => path)
        const unknown = paths.find((path) => !known.includes(path))
        if (unknown) throw e.groupMissing(`There is no group "${unknown}" in ${vo}.`)
        await updateSettings(tx, vo, { ...next, defaultGroups: paths })
        await context.audit(tx, { vo, actor: by, action: 'vo.settings_changed', target: vo, detail: change })
        return { ...next, defaultGroups: paths }
      }),
  }
}
