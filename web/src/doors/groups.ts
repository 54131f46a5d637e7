import { queryOptions } from '@tanstack/react-query'
import { call, getJson, segment } from './http.ts'
import type { Attribute, Label, Paged, User } from './people.ts'

export interface Group {
  id: string
  path: string
  description: string
  members: number
  optional: boolean
  role: boolean
}
export interface Member {
  id: string
  name: string
  since: string
  until: string | null
}
const INDIGO_GROUP = 'urn:indigo-dc:scim:schemas:IndigoGroup'

export const groupsQuery = queryOptions({
  queryKey: ['groups', 'tree'],
  queryFn: async ({ signal }) => (await getJson<{ groups: Group[] }>('/kumi/v1/groups', signal)).groups,
})
export const membersQuery = (group: string, find: string, offset: number, limit: number) =>
  queryOptions({
    queryKey: ['groups', 'members', group, find, offset, limit],
    queryFn: async ({ signal }): Promise<Paged<Member>> => {
      const query = new URLSearchParams({ group, offset: String(offset), limit: String(limit) })
      if (find) query.set('find', find)
      const { total, members } = await getJson<{ total: number; members: Member[] }>(
        `/kumi/v1/groups/members?${query}`,
        signal,
      )
      return { total, items: members }
    },
  })
export const managersQuery = (vo: string, id: string) =>
  queryOptions({
    queryKey: ['groups', 'managers', id],
    queryFn: ({ signal }) => getJson<User[]>(`/iam/${vo}/iam/group/${segment(id)}/group-managers`, signal),
  })
export const groupAttributesQuery = (vo: string, id: string) =>
  queryOptions({
    queryKey: ['groups', 'attributes', id],
    queryFn: ({ signal }) => getJson<Attribute[]>(`/iam/${vo}/iam/group/${segment(id)}/attributes`, signal),
  })
export const groupLabelsQuery = (vo: string, id: string) =>
  queryOptions({
    queryKey: ['groups', 'labels', id],
    queryFn: ({ signal }) => getJson<Label[]>(`/iam/${vo}/iam/group/${segment(id)}/labels`, signal),
  })

/** `until` null: until somebody ends it. */
export const addMember = (group: string, name: string, until: string | null) =>
  call('POST', '/kumi/v1/groups/members', { group, names: [name], until })
export const dropMember = (vo: string, account: string, group: string) =>
  call('DELETE', `/iam/${vo}/iam/account/${segment(account)}/groups/${segment(group)}`)
export const setManager = async (vo: string, name: string, group: string, manages: boolean) => {
  const { id } = await getJson<{ id: string }>(`/kumi/v1/people/${segment(name)}/id`)
  return call(
    manages ? 'POST' : 'DELETE',
    `/iam/${vo}/iam/account/${segment(id)}/managed-groups/${segment(group)}`,
  )
}
export const createGroup = (parent: string, name: string, description: string, kind: 'plain' | GroupKind) =>
  call('POST', '/scim/Groups', {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group', INDIGO_GROUP],
    displayName: name,
    [INDIGO_GROUP]: {
      parentGroup: { value: parent },
      ...(description && { description }),
      ...(kind !== 'plain' && { labels: [{ name: KIND_LABEL[kind] }] }),
    },
  })
export const describeGroup = (vo: string, id: string, description: string) =>
  call('PUT', `/iam/${vo}/iam/group/${segment(id)}`, { description })
export const deleteGroup = (id: string) => call('DELETE', `/scim/Groups/${segment(id)}`)

export type GroupKind = 'optional' | 'role'
/** What IAM calls groups that count only when asked for, and those that are roles in VOMS. */
export const KIND_LABEL: Record<GroupKind, string> = {
  optional: 'wlcg.optional-group',
  role: 'voms.role',
}
