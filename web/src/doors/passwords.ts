import { queryOptions } from '@tanstack/react-query'
import { call, getJson, segment } from './http.ts'

const iam = (vo: string) => `/iam/${segment(vo)}/iam`

export const passwordQuery = (vo: string) =>
  queryOptions({
    queryKey: ['mine', 'password', vo],
    queryFn: ({ signal }) => getJson<{ hasPassword: boolean }>(`${iam(vo)}/password-update`, signal),
    enabled: vo !== '',
  })
export const changePassword = (vo: string, currentPassword: string, updatedPassword: string) =>
  call('POST', `${iam(vo)}/password-update`, { currentPassword, updatedPassword })

/** Whether links go out by mail, or somebody has to hand them over. */
export const linksQuery = (vo: string) =>
  queryOptions({
    queryKey: ['password-links', vo],
    queryFn: ({ signal }) => getJson<{ sendsMail: boolean }>(`${iam(vo)}/password-reset`, signal),
    enabled: vo !== '',
  })
export const askForPassword = (vo: string, email: string) =>
  call('POST', `${iam(vo)}/password-reset/token`, { email })
export const setForgottenPassword = async (vo: string, token: string, updatedPassword: string) =>
  (await (await call('POST', `${iam(vo)}/password-reset`, { token, updatedPassword })).json()) as {
    username: string
  }
/** Begun by somebody who looks after people. */
export const sendPasswordLink = async (name: string) =>
  (await (await call('POST', `/kumi/v1/people/${segment(name)}/password-link`)).json()) as {
    recipient: string
    sendsMail: boolean
  }
