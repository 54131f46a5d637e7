import { queryOptions } from '@tanstack/react-query'
import { call, getJson, segment } from './http.ts'

export const INDIGO_USER = 'urn:indigo-dc:scim:schemas:IndigoUser'
const USERS = '/scim/Users'

export interface Label {
  prefix?: string
  name: string
  value?: string
}
export interface Attribute {
  name: string
  value: string
}
/** A person as SCIM tells of them; what other screens do not show is left out. */
export interface User {
  id: string
  userName: string
  displayName: string
  active: boolean
  name: { givenName: string; familyName: string }
  emails: { value: string; primary: boolean }[]
  groups: { value: string; display: string }[]
  [INDIGO_USER]: {
    serviceAccount: boolean
    labels: Label[]
    attributes: Attribute[]
    authorities: string[]
    endTime?: string
    aupSignatureTime?: string
  }
}
export interface Standing {
  state: 'good' | 'suspended' | 'expired' | 'unsigned' | 'pending'
  code?: string
  message?: string
}
export interface Person {
  name: string
  id: string
  kind: 'USER' | 'SERVICE'
  givenName: string
  familyName: string
  institute: string
  emails: { address: string; primary: boolean; verifiedAt: string | null }[]
  status: string
  standing: Standing
  ending: string | null
  endTime: string | null
  signedAt: string | null
  createdAt: string
  groups: { path: string; optional: boolean; role: boolean; since: string; until: string | null }[]
  manages: string[]
}
export interface Paged<T> {
  total: number
  items: T[]
}

export const searchPeople = async (
  filter: string,
  start: number,
  count: number,
  signal?: AbortSignal,
): Promise<Paged<User>> => {
  const query = new URLSearchParams({ startIndex: String(start), count: String(count) })
  if (filter !== '') query.set('filter', filter)
  const found = await getJson<{ totalResults: number; Resources: User[] }>(`${USERS}?${query}`, signal)
  return { total: found.totalResults, items: found.Resources }
}
export const peopleQuery = (filter: string, start: number, count: number) =>
  queryOptions({
    queryKey: ['people', 'list', filter, start, count],
    queryFn: ({ signal }) => searchPeople(filter, start, count, signal),
  })
export const personQuery = (name: string) =>
  queryOptions({
    queryKey: ['people', 'one', name],
    queryFn: ({ signal }) => getJson<Person>(`/kumi/v1/people/${segment(name)}`, signal),
  })
export const userQuery = (id: string | undefined) =>
  queryOptions({
    queryKey: ['people', 'user', id],
    queryFn: ({ signal }) => getJson<User>(`${USERS}/${segment(id ?? '')}`, signal),
    enabled: id !== undefined,
  })

export const decideStanding = (name: string, verb: 'suspend' | 'restore' | 'remove', reason: string) =>
  call('POST', `/kumi/v1/people/${segment(name)}/${verb}`, { reason })
export const setEndTime = (vo: string, id: string, endTime: string | null) =>
  call('PUT', `/iam/${vo}/iam/account/${segment(id)}/endTime`, { endTime })

export interface Profile {
  givenName: string
  familyName: string
  institute: string
  emails: string[]
}
/** Members, labels and so on stay as they are. */
export const changeUser = (id: string, value: Record<string, unknown>) =>
  call('PATCH', `${USERS}/${segment(id)}`, {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations: [{ op: 'replace', value }],
  })
export const changeProfile = (id: string, { givenName, familyName, institute, emails }: Profile) =>
  changeUser(id, {
    name: { givenName, familyName },
    emails: emails.map((value, i) => ({ type: 'work', value, primary: i === 0 })),
    'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User': { organization: institute },
  })
/** A service signs nothing and is in no group; clients act as it. */
export async function createUser(userName: string, profile: Profile, service: boolean): Promise<void> {
  const { givenName, familyName, institute, emails } = profile
  await call('POST', USERS, {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
    userName,
    name: { givenName, familyName },
    emails: emails.map((value, i) => ({ type: 'work', value, primary: i === 0 })),
    ...(service && { [INDIGO_USER]: { serviceAccount: true } }),
    ...(institute && {
      'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User': { organization: institute },
    }),
  })
}

type Holder = 'account' | 'group'
export const setLabel = (vo: string, of: Holder, id: string, label: Label) =>
  call('PUT', `/iam/${vo}/iam/${of}/${segment(id)}/labels`, label)
export const dropLabel = (vo: string, of: Holder, id: string, { name, prefix }: Label) =>
  call(
    'DELETE',
    `/iam/${vo}/iam/${of}/${segment(id)}/labels?${new URLSearchParams({ name, ...(prefix && { prefix }) })}`,
  )
export const setAttribute = (vo: string, of: Holder, id: string, attribute: Attribute) =>
  call('PUT', `/iam/${vo}/iam/${of}/${segment(id)}/attributes`, attribute)
export const dropAttribute = (vo: string, of: Holder, id: string, name: string) =>
  call('DELETE', `/iam/${vo}/iam/${of}/${segment(id)}/attributes?${new URLSearchParams({ name })}`)
export const setAdministrator = (vo: string, id: string, administrator: boolean) =>
  call(
    administrator ? 'POST' : 'DELETE',
    `/iam/${vo}/iam/account/${segment(id)}/authorities?authority=ROLE_ADMIN`,
  )
