import { Type } from 'typebox'
import type { Principal, Resource } from '../../identity/index.ts'
import type { Db } from '../../kernel/index.ts'
import { jobsByIds } from '../../workload/index.ts'
import { wireError } from './errors.ts'

export const JobIds = Type.Object({
  job_ids: Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 10_000 }),
})

/** Errors: 422. */
export function idOf(id: string | number): bigint {
  if (!/^\d{1,15}$/.test(String(id))) throw wireError(422, `"${id}" is no job`)
  return BigInt(id)
}

/** Whose jobs these are. Of several owners none is the owner: that takes leave for everybody's jobs. */
export async function ownerOf(db: Db, principal: Principal, ids: readonly bigint[]): Promise<Resource> {
  const owners = new Set((await jobsByIds(db, principal.vo, ids)).map(({ ownerId }) => ownerId))
  const [owner = principal.accountId] = owners
  return { vo: principal.vo, owner: owners.size > 1 ? null : owner }
}
