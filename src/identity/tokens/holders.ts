import type { Context } from '../context.ts'
import { accountMissing, accountSuspended } from '../errors.ts'
import { type Holder, selectHolder } from './holders.store.ts'

export type { Holder } from './holders.store.ts'

export interface Holders {
  /** The account, fit to be given a token; throws account_missing, account_suspended. */
  of(accountId: number): Promise<Holder>
}

export function createHolders(context: Context): Holders {
  const memory = context.memory<Holder | undefined>()
  return {
    async of(id) {
      const holder = await memory.get(String(id), () => selectHolder(context.pool, id, context.now()))
      if (!holder) throw accountMissing(`There is no account ${id}.`)
      if (holder.status !== 'ACTIVE') {
        throw accountSuspended(`The account ${holder.name} is suspended or deleted.`)
      }
      return holder
    },
  }
}
