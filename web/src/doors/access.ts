import { queryOptions } from '@tanstack/react-query'
import { call, getJson } from './http.ts'

export type SubjectKind = 'everyone' | 'group' | 'account' | 'attribute'
export interface AccessRule {
  id: number
  subjectKind: SubjectKind
  subject: string
  action: string
  resource: string
  effect: 'allow' | 'deny'
  comment: string
}
export type AccessCell = 'yes' | 'own' | 'managed' | 'own+managed' | 'no'
export interface AccessMatrix {
  actions: { name: string; meaning: string }[]
  rows: { subjectKind: SubjectKind; subject: string; cells: AccessCell[] }[]
}
export interface AccessAnswer {
  who: { account: string | null; subject: string; groups: string[]; scopes: string[] }
  action: string
  path?: string
  allow: boolean
  reason: string
}

const BASE = '/kumi/v1/access'

export const accessRulesQuery = queryOptions({
  queryKey: ['access', 'rules'],
  queryFn: async ({ signal }) => (await getJson<{ rules: AccessRule[] }>(`${BASE}/rules`, signal)).rules,
})
export const accessMatrixQuery = queryOptions({
  queryKey: ['access', 'matrix'],
  queryFn: ({ signal }) => getJson<AccessMatrix>(`${BASE}/matrix`, signal),
})
export const addAccessRule = (rule: Omit<AccessRule, 'id'>) => call('POST', `${BASE}/rules`, rule)
export const removeAccessRule = (id: number) => call('DELETE', `${BASE}/rules/${id}`)
export const explainAccess = async (question: Record<string, string>): Promise<AccessAnswer> =>
  (await (await call('POST', `${BASE}/explain`, question)).json()) as AccessAnswer

/** `everyone`, `/demo/shift`, `mika`, `attribute:admin=true`: as at the command line. */
export const subjectText = ({ subjectKind, subject }: Pick<AccessRule, 'subjectKind' | 'subject'>) =>
  subjectKind === 'everyone' ? 'everyone' : subjectKind === 'attribute' ? `attribute:${subject}` : subject

export function subjectOf(text: string): Pick<AccessRule, 'subjectKind' | 'subject'> {
  if (text === 'everyone') return { subjectKind: 'everyone', subject: '' }
  if (text.startsWith('/')) return { subjectKind: 'group', subject: text }
  if (text.startsWith('attribute:')) {
    return { subjectKind: 'attribute', subject: text.slice('attribute:'.length) }
  }
  return { subjectKind: 'account', subject: text }
}
