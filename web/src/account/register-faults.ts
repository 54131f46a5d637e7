import { DoorError } from '../doors/http.ts'
import type { Newcomer } from '../doors/joining.ts'
import type { Messages } from '../language/en.ts'

type Word = keyof Messages['joining']['register']['wrong']
/** What is wrong with which field: a word of the dictionary, or what the grid said where there is none. */
export type Faults = Partial<Record<keyof Newcomer | 'repeat' | 'form', Word | (string & {})>>

const NEEDED = ['username', 'givenname', 'familyname', 'email', 'password'] as const

/** What can be seen before anything is sent; the grid checks again. */
export function faultsIn(newcomer: Newcomer, repeat: string): Faults {
  const faults: Faults = {}
  if (!/^[a-z0-9_-]{1,25}$/.test(newcomer.username)) faults.username = 'username'
  if (!/^[^\s@]+@[^\s@]+$/.test(newcomer.email.trim())) faults.email = 'email'
  if (newcomer.password.length < 8 || newcomer.password.length > 1024) faults.password = 'password'
  else if (newcomer.password !== repeat) faults.repeat = 'repeat'
  for (const name of NEEDED) if (newcomer[name].trim() === '') faults[name] = 'missing'
  return faults
}

const FIELD_OF_CODE: Readonly<Record<string, Faults>> = {
  account_exists: { username: 'usernameTaken' },
  invalid_account: { username: 'username' },
  email_taken: { email: 'emailTaken' },
  invalid_email: { email: 'email' },
  invalid_password: { password: 'password' },
  registration_rate_limited: { form: 'tooMany' },
}

/** What the grid refused, at the field it is about. */
export function faultsOf(error: Error): Faults {
  const known = error instanceof DoorError && error.code ? FIELD_OF_CODE[error.code] : undefined
  return known ?? { form: error.message }
}
