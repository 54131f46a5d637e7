import type { Client, Identity, Principal } from '../../identity/index.ts'
import { isGridError } from '../../kernel/errors.ts'
import { wireError } from './errors.ts'
import { ADMINISTRATOR, MEMBER } from './scopes.ts'

/** The one public client of the field. */
export const CLIENT = 'myDIRACClientID'
export const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
export const GRANTS = [DEVICE, 'authorization_code', 'refresh_token'] as const
/** The client renews when less than five minutes are left. */
const ACCESS_SECONDS = 1200
const REFRESH_SECONDS = 12 * 3600
/** Programs on people's own machines; an administrator adds the addresses of web portals to the client. */
const REDIRECTS = ['http://localhost/', 'http://127.0.0.1/']

export const propertiesOf = ({ attributes }: Principal): string[] =>
  attributes.admin?.toLowerCase() === 'true' ? ADMINISTRATOR : MEMBER

export const vosOf = async (identity: Identity): Promise<string[]> =>
  (await identity.listVos()).map(({ id }) => id)

/** Groups of a VO from its root downwards; the root is there also before anybody made it. */
export async function groupsOf(identity: Identity, vo: string): Promise<string[]> {
  const root = `/${vo}`
  const found = [root]
  const below = async (path: string): Promise<void> => {
    const group = await identity.group(vo, path).catch((error) => {
      if (isGridError(error) && error.kind === 'missing') return undefined
      throw error
    })
    for (const child of group ? await identity.subgroups(group) : []) {
      found.push(child.path)
      await below(child.path)
    }
  }
  await below(root)
  return found
}

/** The client of the field in a VO; made on first use. */
export async function clientOf(identity: Identity, vo: string): Promise<Client> {
  if (!(await vosOf(identity)).includes(vo)) throw wireError(400, `The vo ${vo} is not known`)
  const known = await identity.client(vo, CLIENT).catch((error) => {
    if (isGridError(error) && error.kind === 'missing') return undefined
    throw error
  })
  if (known && GRANTS.every((grant) => known.grants.includes(grant))) return known
  await identity.putClient({
    ...{ id: CLIENT, vo, accountId: null, auth: 'none', origin: 'grid' },
    ...{ name: 'DiracX client', description: 'The dirac command and the libraries of DiracX' },
    ...{ grants: GRANTS, redirectUris: known?.redirectUris.length ? known.redirectUris : REDIRECTS },
    scopes: ['grid', 'offline_access', 'wlcg.groups'],
    ...{ accessSeconds: ACCESS_SECONDS, refreshSeconds: REFRESH_SECONDS },
  })
  return identity.client(vo, CLIENT)
}
