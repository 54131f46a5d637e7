import { queryOptions } from '@tanstack/react-query'
import { call, getJson, segment } from './http.ts'

const iam = (vo: string) => `/iam/${segment(vo)}`
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'
const INDIGO_GROUP = 'urn:indigo-dc:scim:schemas:IndigoGroup'

export interface Membership {
  path: string
  optional: boolean
  role: boolean
  since: string
  until: string | null
}
export interface Self {
  name: string
  id: string
  givenName: string
  familyName: string
  institute: string
  emails: { address: string; primary: boolean; verifiedAt: string | null }[]
  standing: { state: string; code?: string; message?: string }
  endTime: string | null
  createdAt: string
  groups: Membership[]
  manages: string[]
}
export interface Group {
  id: string
  path: string
  description: string
  kind: 'usual' | 'optional' | 'role'
}
export interface GroupRequest {
  uuid: string
  groupName: string | null
  status: 'PENDING' | 'APPROVED' | 'REJECTED'
  notes: string
  motivation: string | null
  creationTime: string
  lastUpdateTime: string
}
export interface Certificate {
  id: string
  subject: string
  issuer: string | null
  notAfter: string | null
  label: string
  origin: string
  weak: boolean
  state: 'linked' | 'suspended'
  reason: string
  createdAt: string
  seenAt: string | null
}
export interface IssuedCertificate {
  serial: string
  subject: string
  notBefore: string
  notAfter: string
  revokedAt: string | null
}
export interface Session {
  id: string
  address: string
  user_agent: string
  created: string
  last_seen: string
  expires: string
  here: boolean
}
export interface Grant {
  id: string
  client_id: string
  client_name: string
  scopes: string[]
  audience: string[]
  created: string
  last_used: string
  expires: string
}
export interface OwnClient {
  client_id: string
  client_name: string
  client_description: string
  client_id_issued_at: number
  enabled: boolean
  grant_types: string[]
  scope: string
  token_endpoint_auth_method: string
  last_used: string | null
}

export const selfQuery = (account: string) =>
  queryOptions({
    queryKey: ['mine', 'self', account],
    queryFn: ({ signal }) => getJson<Self>(`/kumi/v1/people/${segment(account)}`, signal),
    enabled: account !== '',
  })
export interface Profile {
  givenName: string
  familyName: string
  institute: string
  emails: { address: string; primary: boolean }[]
}
export const changeProfile = ({ givenName, familyName, institute, emails }: Profile) =>
  call('PATCH', '/scim/Me', {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations: [
      { op: 'replace', path: 'name.givenName', value: givenName },
      { op: 'replace', path: 'name.familyName', value: familyName },
      { op: 'replace', path: `${ENTERPRISE}:organization`, value: institute },
      {
        ...{ op: 'replace', path: 'emails' },
        value: emails.map(({ address, primary }) => ({ type: 'work', value: address, primary })),
      },
    ],
  })

interface ScimGroup {
  id: string
  displayName: string
  [INDIGO_GROUP]?: { description?: string; labels?: { prefix?: string; name: string }[] }
}
export const groupsQuery = queryOptions({
  queryKey: ['mine', 'groups'],
  queryFn: async ({ signal }): Promise<Group[]> =>
    (await getJson<{ Resources: ScimGroup[] }>('/scim/Groups?count=1000', signal)).Resources.map((group) => {
      const { description = '', labels = [] } = group[INDIGO_GROUP] ?? {}
      const has = (label: string) => labels.some(({ prefix, name }) => !prefix && name === label)
      const kind = has('voms.role') ? 'role' : has('wlcg.optional-group') ? 'optional' : 'usual'
      return { id: group.id, path: `/${group.displayName}`, description, kind }
    }),
})
export const requestsQuery = (vo: string, account: string) =>
  queryOptions({
    queryKey: ['mine', 'requests', vo, account],
    queryFn: async ({ signal }) =>
      (
        await getJson<{ Resources: GroupRequest[] }>(
          `${iam(vo)}/iam/group_requests?${new URLSearchParams({ username: account, count: '100' })}`,
          signal,
        )
      ).Resources,
    enabled: account !== '',
  })
export const askForGroup = (vo: string, path: string, notes: string) =>
  call('POST', `${iam(vo)}/iam/group_requests`, { groupName: path.slice(1), notes })
export const forgetRequest = (vo: string, id: string) =>
  call('DELETE', `${iam(vo)}/iam/group_requests/${segment(id)}`)
export const leaveGroup = (vo: string, id: string) =>
  call('DELETE', `${iam(vo)}/iam/account/me/groups/${segment(id)}`)

export const certificatesQuery = (vo: string) =>
  queryOptions({
    queryKey: ['mine', 'certificates', vo],
    queryFn: async ({ signal }) =>
      (await getJson<{ certificates: Certificate[] }>(`${iam(vo)}/certificates`, signal)).certificates,
    enabled: vo !== '',
  })
export const issuedQuery = (vo: string) =>
  queryOptions({
    queryKey: ['mine', 'issued', vo],
    queryFn: async ({ signal }) =>
      (await getJson<{ certificates: IssuedCertificate[] }>(`${iam(vo)}/certificates/issued`, signal))
        .certificates,
    enabled: vo !== '',
  })
/** The certificate that this browser shows on its connection. */
export const linkShownCertificate = async (vo: string, label: string) =>
  (await (await call('POST', `${iam(vo)}/account-linking/X509`, { label })).json()) as Certificate
export const unlinkCertificate = (vo: string, id: string) =>
  call('DELETE', `${iam(vo)}/certificates/${segment(id)}`)
export const issueCertificate = async (vo: string, csr: string) =>
  (await (await call('POST', `${iam(vo)}/certificates/issue`, { csr })).json()) as {
    certificate: string
    serial: string
    subject: string
    notAfter: string
  }
export const revokeIssued = (vo: string, serial: string, reason: string) =>
  call('POST', `${iam(vo)}/certificates/issued/${segment(serial)}/revoke`, { reason })

export const sessionsQuery = (vo: string) =>
  queryOptions({
    queryKey: ['mine', 'sessions', vo],
    queryFn: async ({ signal }) =>
      (await getJson<{ sessions: Session[] }>(`${iam(vo)}/api/me/sessions`, signal)).sessions,
    enabled: vo !== '',
  })
export const endSession = (vo: string, id: string) =>
  call('DELETE', `${iam(vo)}/api/me/sessions/${segment(id)}`)

export const grantsQuery = (vo: string) =>
  queryOptions({
    queryKey: ['mine', 'grants', vo],
    queryFn: async ({ signal }) =>
      (await getJson<{ tokens: Grant[] }>(`${iam(vo)}/api/me/tokens`, signal)).tokens,
    enabled: vo !== '',
  })
export const revokeGrant = (vo: string, id: string) =>
  call('DELETE', `${iam(vo)}/api/me/tokens/${segment(id)}`)
export const revokeAllGrants = (vo: string) => call('DELETE', `${iam(vo)}/api/me/tokens`)

export const ownClientsQuery = (vo: string) =>
  queryOptions({
    queryKey: ['mine', 'clients', vo],
    queryFn: async ({ signal }) =>
      (await getJson<{ clients: OwnClient[] }>(`${iam(vo)}/api/me/clients`, signal)).clients,
    enabled: vo !== '',
  })
export const newClientSecret = async (vo: string, id: string) =>
  (await (await call('POST', `${iam(vo)}/api/clients/${segment(id)}/secret`, {})).json()) as {
    client_secret?: string
  }
export const deleteClient = (vo: string, id: string) =>
  call('DELETE', `${iam(vo)}/api/clients/${segment(id)}`)
