import { call, getJson, segment } from './http.ts'

/** What a program asks a person for. */
export interface Question {
  client: { id: string; name: string; description: string; origin: 'grid' | 'admin' | 'registered' }
  scopes: string[]
  audience: string[]
  /** The host that gets the answer, or the address of the device that asked. */
  whereto: string
  account: string | null
  login_needed: boolean
  consent_needed: boolean
  rememberable: boolean
}
export interface Answer {
  decision: 'approve' | 'deny'
  scopes?: string[]
  remember?: boolean
}

const interaction = (vo: string) => `/iam/${segment(vo)}/interaction`

export const consentQuestion = (vo: string, request: string) =>
  getJson<Question>(`${interaction(vo)}/${segment(request)}`)
export const answerConsent = async (vo: string, request: string, answer: Answer) =>
  (await (await call('POST', `${interaction(vo)}/${segment(request)}`, answer)).json()) as {
    redirect_to: string
  }
export const deviceQuestion = async (vo: string, user_code: string) =>
  (await (await call('POST', `${interaction(vo)}/device`, { user_code })).json()) as Question & {
    asked_at: string
  }
export const answerDevice = (vo: string, user_code: string, answer: Answer) =>
  call('POST', `${interaction(vo)}/device/answer`, { user_code, ...answer })
