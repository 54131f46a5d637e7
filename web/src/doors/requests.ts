import { queryOptions } from '@tanstack/react-query'
import { call, getJson, segment } from './http.ts'

export type RequestState = 'NEW' | 'CONFIRMED' | 'PENDING' | 'APPROVED' | 'REJECTED'
export interface Registration {
  uuid: string
  username: string
  givenname: string
  familyname: string
  institute: string
  email: string | null
  emailVerified: boolean
  status: RequestState
  notes: string
  motivation: string | null
  decidedBy: string | null
  creationTime: string
  lastUpdateTime: string
}
export interface GroupRequest {
  uuid: string
  username: string
  userFullName: string
  groupUuid: string
  groupName: string
  status: RequestState
  notes: string
  motivation: string | null
  decidedBy: string | null
  creationTime: string
  lastUpdateTime: string
}

const HISTORY = 50

/** Oldest first while they wait; what was decided last comes first. */
export const registrationsQuery = (vo: string, history: boolean) =>
  queryOptions({
    queryKey: ['requests', 'registrations', history],
    queryFn: async ({ signal }) => {
      const list = (query: string) => getJson<Registration[]>(`/iam/${vo}/registration/list${query}`, signal)
      if (!history) return list('/pending')
      const decided = ['APPROVED', 'REJECTED'].map((status) =>
        list(`?status=${status}&count=${HISTORY}&sortOrder=descending`),
      )
      return (await Promise.all(decided)).flat().sort(lastFirst)
    },
  })
export const groupRequestsQuery = (vo: string, history: boolean) =>
  queryOptions({
    queryKey: ['requests', 'groups', history],
    queryFn: async ({ signal }) => {
      const list = async (query: string) =>
        (await getJson<{ Resources: GroupRequest[] }>(`/iam/${vo}/iam/group_requests?${query}`, signal))
          .Resources
      if (!history) return list('status=PENDING&count=1000')
      const decided = ['APPROVED', 'REJECTED'].map((status) =>
        list(`status=${status}&count=${HISTORY}&sortOrder=descending`),
      )
      return (await Promise.all(decided)).flat().sort(lastFirst)
    },
  })
const lastFirst = (a: { lastUpdateTime: string }, b: { lastUpdateTime: string }) =>
  b.lastUpdateTime.localeCompare(a.lastUpdateTime)

const why = (motivation: string) => `?${new URLSearchParams({ motivation })}`
export const approveRegistration = (vo: string, id: string) =>
  call('POST', `/iam/${vo}/registration/approve/${segment(id)}`)
export const rejectRegistration = (vo: string, id: string, reason: string) =>
  call('POST', `/iam/${vo}/registration/reject/${segment(id)}${why(reason)}`)
export const approveGroupRequest = (vo: string, id: string) =>
  call('POST', `/iam/${vo}/iam/group_requests/${segment(id)}/approve`)
export const rejectGroupRequest = (vo: string, id: string, reason: string) =>
  call('POST', `/iam/${vo}/iam/group_requests/${segment(id)}/reject${why(reason)}`)
