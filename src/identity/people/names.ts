import { invalidEmail, invalidProfile } from '../errors.ts'

const LONGEST_EMAIL = 254
const LONGEST_NAME = 200
// One `@`, no blanks or control characters, a dotted or single host name: what mail servers of the field deliver.
const EMAIL =
  /^[^\s@"'<>(),:;\\[\]\p{Cc}]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/u

/** The address, trimmed; throws invalid_email. */
export function checkedEmail(address: string): string {
  const trimmed = address.trim()
  if (trimmed.length <= LONGEST_EMAIL && EMAIL.test(trimmed)) return trimmed
  throw invalidEmail(`"${shown(address)}" is no e-mail address.`)
}

/** A name of a person or institute in any script, in Unicode's composed form; throws invalid_profile. */
export function checkedText(what: string, text: string, longest = LONGEST_NAME): string {
  const clean = text.normalize('NFC').trim()
  if (clean.length > longest) throw invalidProfile(`The ${what} is longer than ${longest} characters.`)
  // Invisible direction marks let a name pose as another one; line ends break mails and lists.
  if (/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(clean)) {
    throw invalidProfile(`The ${what} has characters that cannot be shown.`)
  }
  return clean
}

/** As `checkedText`, with lines. */
export function checkedLines(what: string, text: string, longest: number): string {
  const clean = text.normalize('NFC').replace(/\r\n?/g, '\n').trim()
  if (clean.length > longest) throw invalidProfile(`The ${what} is longer than ${longest} characters.`)
  if (/[^\P{Cc}\n\t]|\p{Cs}/u.test(clean)) {
    throw invalidProfile(`The ${what} has characters that cannot be shown.`)
  }
  return clean
}

/** A piece of somebody's input for a message. */
function shown(text: string): string {
  return text.slice(0, 60).replace(/\p{Cc}/gu, '?')
}

/** Whether a text could be the id of an account, a group or a request. */
export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
