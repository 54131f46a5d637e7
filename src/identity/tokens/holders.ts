import { GridError } from '../../kernel/errors.ts'
import type { Context } from '../context.ts'
import { accountMissing } from '../errors.ts'
import { type Standing, standing } from '../people/standing.ts'
import { type Holder, selectHolder } from './holders.store.ts'

export type { Holder } from './holders.store.ts'

export interface Holders {
  /** The account, fit to be given a token; throws account_missing, or the code of its standing. */
  of(accountId: number): Promise<Holder>
  /** The account however it stands. */
  anyhow(accountId: number): Promise<Holder>
}

export function createHolders(context: Context): Holders {
  const { db, now } = context
  const memory = context.memory<Holder | undefined>()
  const anyhow = async (id: number): Promise<Holder> => {
    const holder = await memory.get(String(id), () => selectHolder(db, id, now()))
    if (!holder) throw accountMissing(`There is no account ${id}.`)
    return holder
  }
  return {
    anyhow,
    async of(id) {
      const holder = await anyhow(id)
      refuseUnlessGood(standing(holder, now()))
      return holder
    },
  }
}

/** Throws what the person reads, under the code of the standing. */
export function refuseUnlessGood(standing: Standing): void {
  if (standing.state === 'good') return
  throw new GridError({ code: standing.code, kind: 'denied', message: standing.message })
}
