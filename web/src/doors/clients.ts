import { queryOptions } from '@tanstack/react-query'
import { call, getJson, segment } from './http.ts'

export interface Client {
  client_id: string
  client_name: string
  client_description: string
  origin: 'grid' | 'admin' | 'registered'
  enabled: boolean
  redirect_uris: string[]
  grant_types: string[]
  scope: string
  token_endpoint_auth_method: string
  access_token_validity_seconds: number
  audiences: string[]
  last_used: string | null
  account: string | null
  owners: string[]
  client_id_issued_at: number
}
export interface ClientChange {
  client_name: string
  client_description: string
  redirect_uris: string[]
  grant_types: string[]
  scope: string
  audiences: string[]
  token_endpoint_auth_method?: string
  account?: string
}
/** The secret is told once. */
export interface Secret {
  client_id: string
  client_secret?: string
}
export const GRANTS = [
  'client_credentials',
  'authorization_code',
  'refresh_token',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'password',
  'urn:kumihimo:grant:one-time-code',
] as const

const base = (vo: string) => `/iam/${vo}/api/clients`

export const clientsQuery = (vo: string) =>
  queryOptions({
    queryKey: ['clients', 'list'],
    queryFn: async ({ signal }) => (await getJson<{ clients: Client[] }>(base(vo), signal)).clients,
  })
export const clientQuery = (vo: string, id: string) =>
  queryOptions({
    queryKey: ['clients', 'one', id],
    queryFn: ({ signal }) => getJson<Client>(`${base(vo)}/${segment(id)}`, signal),
  })
export const createClient = async (vo: string, id: string, change: ClientChange): Promise<Secret> =>
  (await (await call('POST', base(vo), { client_id: id, ...change })).json()) as Secret
export const changeClient = (vo: string, id: string, change: Partial<ClientChange>) =>
  call('PATCH', `${base(vo)}/${segment(id)}`, change)
export const enableClient = (vo: string, id: string, enabled: boolean) =>
  call('PATCH', `${base(vo)}/${segment(id)}/${enabled ? 'enable' : 'disable'}`)
export const deleteClient = (vo: string, id: string) => call('DELETE', `${base(vo)}/${segment(id)}`)
export const rotateSecret = async (vo: string, id: string, overlapSeconds: number): Promise<Secret> =>
  (await (
    await call('POST', `${base(vo)}/${segment(id)}/secret`, { overlap_seconds: overlapSeconds })
  ).json()) as Secret
