import { queryOptions } from '@tanstack/react-query'
import { call, getJson } from './http.ts'

export interface PolicyVersion {
  version: number
  url: string | null
  text: string | null
  description: string
  validityDays: number
  reminderDays: number[]
  signFrom: string
  publishedAt: string
  publishedBy: string
  withdrawnAt: string | null
  signatures: number
}
export interface Policies {
  signed: number
  unsigned: number
  versions: PolicyVersion[]
}
export interface NewPolicy {
  url: string | null
  text: string | null
  description: string
  signatureValidityInDays: number
  aupRemindersInDays: string
}

export const policiesQuery = queryOptions({
  queryKey: ['policies'],
  queryFn: ({ signal }) => getJson<Policies>('/kumi/v1/policies', signal),
})
/** A correction keeps the signatures; a new version asks everybody again. */
export const publishPolicy = (vo: string, policy: NewPolicy, correction: boolean) =>
  call(correction ? 'PATCH' : 'POST', `/iam/${vo}/iam/aup`, policy)
export const askAgain = (vo: string) => call('POST', `/iam/${vo}/iam/aup/touch`)
export const withdrawPolicy = (vo: string) => call('DELETE', `/iam/${vo}/iam/aup`)
