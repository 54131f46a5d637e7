import type { Context } from '../context.ts'
import { invalidRequest } from '../errors.ts'
import { defaultRules } from '../policy/default-rules.ts'
import { insertRules } from '../policy/policies.store.ts'
import type { Policies } from '../policy/policies.ts'
import type { ClientBook } from '../tokens/clients.ts'
import type { Keys } from '../tokens/keys.ts'
import { putScopePolicies } from '../tokens/scope-policies.store.ts'
import { defaultScopePolicies } from '../tokens/scope-policies.ts'
import { insertRoot } from './groups.store.ts'
import { insertVo, selectVos, type Vo } from './vos.store.ts'

export type { Vo } from './vos.store.ts'

export interface Vos {
  /** Creates the VO with its default policy, root group and first signing key, unless it exists. */
  createVo(vo: { id: string; title: string; storagePrefix?: string }): Promise<{ created: boolean }>
  listVos(): Promise<Vo[]>
}

export function createVos(
  context: Context,
  { keys, policies, clients }: { keys: Keys; policies: Policies; clients: ClientBook },
): Vos {
  const { db, ids, now, changing } = context
  return {
    async createVo({ id, title, storagePrefix }) {
      if (!/^[a-z][a-z0-9-]{0,31}$/.test(id)) {
        throw invalidRequest(`"${id}" is no VO name: begin with a letter; a-z, 0-9 and "-" may follow.`)
      }
      const created = await changing(id, id, async (tx) => {
        const inserted = await insertVo(tx, { id, title, prefix: storagePrefix ?? `/${id}` }, now())
        if (inserted === 0) return false
        await insertRules(tx, defaultRules(id))
        await insertRoot(tx, id, ids.uuid(), now())
        await putScopePolicies(tx, defaultScopePolicies(id, ids.uuid))
        await context.audit(tx, { vo: id, actor: 'grid', action: 'vo.created', target: id })
        return true
      })
      await clients.ensureOwnPrograms(id)
      await keys.rotate([id], now())
      await policies.refresh()
      return { created }
    },
    listVos: () => selectVos(db),
  }
}
