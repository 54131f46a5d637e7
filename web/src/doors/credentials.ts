import { queryOptions } from '@tanstack/react-query'
import { call, getJson, segment } from './http.ts'

export interface Certificate {
  id: string
  subject: string
  issuer: string | null
  notAfter: string | null
  label: string
  state: 'linked' | 'suspended' | 'unlinked'
  reason: string
  seenAt: string | null
}
export interface Session {
  id: string
  address: string
  user_agent: string
  created: string
  last_seen: string
  expires: string
}
export interface Permission {
  id: string
  client_name: string
  scopes: string[]
  created: string
  last_used: string
  expires: string
}
export interface Signature {
  signatureTime: string
  version: number
  signedBy: string
  endsAt: string | null
}

const of = (account: string) => `account=${encodeURIComponent(account)}`

/** What somebody is let in with, for whoever looks after people. */
export const certificatesQuery = (vo: string, account: string) =>
  queryOptions({
    queryKey: ['people', 'certificates', account],
    queryFn: async ({ signal }) =>
      (await getJson<{ certificates: Certificate[] }>(`/iam/${vo}/certificates?${of(account)}`, signal))
        .certificates,
  })
export const sessionsQuery = (vo: string, account: string) =>
  queryOptions({
    queryKey: ['people', 'sessions', account],
    queryFn: async ({ signal }) =>
      (await getJson<{ sessions: Session[] }>(`/iam/${vo}/api/me/sessions?${of(account)}`, signal)).sessions,
  })
export const permissionsQuery = (vo: string, account: string) =>
  queryOptions({
    queryKey: ['people', 'tokens', account],
    queryFn: async ({ signal }) =>
      (await getJson<{ tokens: Permission[] }>(`/iam/${vo}/api/me/tokens?${of(account)}`, signal)).tokens,
  })
/** Null: nothing was signed yet, or there is nothing to sign. */
export const signatureQuery = (vo: string, id: string) =>
  queryOptions({
    queryKey: ['people', 'signature', id],
    queryFn: ({ signal }) => getJson<Signature>(`/iam/${vo}/iam/aup/signature/${segment(id)}`, signal),
  })

const certificate = (vo: string, id: string) => `/iam/${vo}/certificates/${segment(id)}`
export const suspendCertificate = (vo: string, id: string, reason: string) =>
  call('POST', `${certificate(vo, id)}/suspend`, { reason })
export const restoreCertificate = (vo: string, id: string) => call('POST', `${certificate(vo, id)}/restore`)
export const unlinkCertificate = (vo: string, id: string) => call('DELETE', certificate(vo, id))
export const linkCertificate = (vo: string, account: string, pem: string) =>
  call('POST', `/iam/${vo}/account-linking/X509`, { account, pem })
export const endSession = (vo: string, account: string, id: string) =>
  call('DELETE', `/iam/${vo}/api/me/sessions/${segment(id)}?${of(account)}`)
export const revokePermission = (vo: string, account: string, id: string) =>
  call('DELETE', `/iam/${vo}/api/me/tokens/${segment(id)}?${of(account)}`)
export const revokeAllPermissions = (vo: string, account: string) =>
  call('DELETE', `/iam/${vo}/api/me/tokens?${of(account)}`)
export const signFor = (vo: string, id: string) =>
  call('PATCH', `/iam/${vo}/iam/aup/signature/${segment(id)}`, {})
export const withdrawSignature = (vo: string, id: string) =>
  call('DELETE', `/iam/${vo}/iam/aup/signature/${segment(id)}`)
