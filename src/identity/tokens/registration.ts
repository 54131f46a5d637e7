import { accountOf } from '../accounts/accounts.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Client, Grant } from './client.ts'
import type { ClientBook } from './clients.ts'
import { withinClient } from './entitlement.ts'
import { formatScope } from './scope.ts'
import { askedScope } from './vocabulary.ts'

/** What somebody wishes for a client of their own (RFC 7591 §2). */
export interface RegistrationRequest {
  readonly vo: string
  readonly owner: number
  readonly name: string
  readonly description: string
  readonly redirectUris: readonly string[]
  readonly grants: readonly string[]
  readonly scopes: readonly string[]
  readonly auth: 'secret' | 'none'
}

export interface Registration {
  /** A client for people, without an administrator; throws invalid_client_metadata, invalid_redirect_uri. */
  registerClient(request: RegistrationRequest): Promise<{ client: Client; secret: string | null }>
}

/** Only what needs a person's consent each time: nothing by which a client acts for itself. */
const GRANTS: readonly string[] = [
  'authorization_code',
  'urn:ietf:params:oauth:grant-type:device_code',
  'refresh_token',
] satisfies Grant[]

/** No administration, and not the grid's own doors as a whole. */
const SCOPES: readonly string[] = [
  ...['openid', 'profile', 'email', 'offline_access', 'wlcg', 'wlcg:1.0', 'wlcg.groups', 'fts'],
  ...['eduperson_entitlement', 'eduperson_scoped_affiliation'],
  ...['storage.read:/', 'storage.modify:/', 'storage.stage:/', 'grid.catalog.read'],
  ...['compute.read', 'compute.modify', 'compute.create', 'compute.cancel'],
]
const MOST_PER_OWNER = 20

export function createRegistration(context: Context, clients: ClientBook): Registration {
  return {
    async registerClient({ owner, grants, scopes, ...wish }) {
      const refused = grants.find((grant) => !GRANTS.includes(grant))
      if (refused !== undefined) {
        throw e.invalidClientMetadata(`The grant "${refused}" needs a client made by an administrator.`)
      }
      const most = { scopes: SCOPES, grants: GRANTS as readonly Grant[] }
      const asked = scopes.length > 0 ? scopes : SCOPES
      const given = withinClient(most, asked.map(askedScope)).map(formatScope)
      if (given.length === 0) throw e.invalidClientMetadata('None of these scopes may be registered for.')
      const own = await clients.listClients(wish.vo, { owner })
      if (own.length >= MOST_PER_OWNER) {
        throw e.invalidClientMetadata(`Nobody has more than ${MOST_PER_OWNER} clients; delete one first.`)
      }
      const facts = {
        ...wish,
        grants: grants as readonly Grant[],
        scopes: given,
        origin: 'registered' as const,
      }
      const { name: by } = await accountOf(context, owner)
      return clients.createClient({ ...facts, id: context.ids.uuid() }, [owner], by)
    },
  }
}
