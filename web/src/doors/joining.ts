import { queryOptions } from '@tanstack/react-query'
import { call, getJson, segment } from './http.ts'

const iam = (vo: string) => `/iam/${segment(vo)}`

export interface Newcomer {
  username: string
  givenname: string
  familyname: string
  email: string
  institute: string
  notes: string
  password: string
}
export interface Policy {
  version: number
  url: string | null
  text: string | null
  description: string
  signatureValidityInDays: number
  lastUpdateTime: string
}
export interface Signature {
  version: number
  signatureTime: string
  signedBy: string
  endsAt: string | null
}
/** Why somebody is not in good standing, by its stable code. */
export interface Standing {
  code: string
  message: string
}

export const registrationQuery = (vo: string) =>
  queryOptions({
    queryKey: ['registration', vo],
    queryFn: ({ signal }) =>
      getJson<{ enabled: boolean; requireEmailConfirmation: boolean }>(
        `${iam(vo)}/registration/config`,
        signal,
      ),
    enabled: vo !== '',
  })
export const register = async (vo: string, newcomer: Newcomer) =>
  (await (await call('POST', `${iam(vo)}/registration/create`, newcomer)).json()) as {
    username: string
    email: string
    status: 'NEW' | 'CONFIRMED'
  }
export const confirmAddress = async (vo: string, token: string) =>
  (await (await call('POST', `${iam(vo)}/registration/verify`, { token })).json()) as {
    username: string
    /** Of somebody who is a member already and added it later. */
    address?: string
  }

/** The policy in force; null where the VO has none. */
export const policyQuery = (vo: string) =>
  queryOptions({
    queryKey: ['mine', 'policy', vo],
    queryFn: ({ signal }) => orNothing(getJson<Policy>(`${iam(vo)}/iam/aup`, signal)),
    enabled: vo !== '',
  })
/** One's newest signature; null before the first. */
export const signatureQuery = (vo: string) =>
  queryOptions({
    queryKey: ['mine', 'signature', vo],
    queryFn: ({ signal }) => orNothing(getJson<Signature>(`${iam(vo)}/iam/aup/signature`, signal)),
    enabled: vo !== '',
  })
export const sign = (vo: string, version: number) => call('POST', `${iam(vo)}/iam/aup/signature`, { version })

export const getSession = (vo: string) =>
  getJson<{ account: string; standing?: Standing }>(`${iam(vo)}/session`)
export const sessionQuery = (vo: string) =>
  queryOptions({
    queryKey: ['session', vo],
    queryFn: () => getSession(vo),
    enabled: vo !== '',
    retry: false,
    gcTime: 0,
  })

async function orNothing<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked
  } catch (error) {
    if ((error as { status?: number }).status === 404) return null
    throw error
  }
}
