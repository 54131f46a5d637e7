import { type Database, named } from '../../kernel/database.ts'
import type { AccountKind, AccountStatus } from '../accounts/account.ts'
import type { Membership } from './groups-claim.ts'

/** The account a token is for. */
export interface Holder {
  readonly id: number
  readonly uuid: string
  readonly vo: string
  readonly name: string
  readonly kind: AccountKind
  readonly status: AccountStatus
  readonly email: string | null
  readonly memberships: readonly Membership[]
}

/** Every token needs this, so it is one prepared statement. */
export async function selectHolder(
  pool: Database['pool'],
  id: number,
  now: Date,
): Promise<Holder | undefined> {
  const found = await named<Holder>(
    pool,
    'identity-holder',
    `select a.id, a.uuid, a.vo, a.name, a.kind, a.status, a.email,
       coalesce((select jsonb_agg(jsonb_build_object('path', g.path, 'optional', g.optional, 'role', false, 'until', null)
           order by g.path)
         from membership m join grp g on g.id = m.grp_id
         where m.account_id = a.id and (m.until is null or m.until > $2)), '[]') as memberships
     from account a where a.id = $1`,
    [id, now],
  )
  return found[0]
}
