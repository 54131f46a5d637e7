import { invalidRedirectUri } from '../errors.ts'

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])
/** RFC 8252 §7.1: a scheme of one's own is a domain name backwards. */
const OWN_SCHEME = /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/

/** Throws invalid_redirect_uri unless codes may be sent there: https, http on the own machine, or an app's own scheme. */
export function checkRedirectUri(text: string): void {
  const bad = (why: string) => invalidRedirectUri(`The redirect URI "${text}" ${why}.`)
  // A fragment, a wildcard or a user name in it has only ever served attacks; so have characters that parsers differ on.
  if (!/^[\x21-\x7e]{1,1000}$/.test(text) || /[#*\\<>"'`{}|^]/.test(text))
    throw bad('has forbidden characters')
  if (!URL.canParse(text)) throw bad('is not an absolute URI')
  const url = new URL(text)
  if (url.username || url.password) throw bad('must not carry a user name')
  if (url.protocol === 'https:') return
  if (url.protocol === 'http:') {
    if (LOOPBACK.has(url.hostname)) return
    throw bad('needs https')
  }
  if (!OWN_SCHEME.test(url.protocol)) throw bad('has a scheme that is not accepted')
}

/**
 * Whether a request's redirect URI is one of those registered: letter by letter, but for the port of a registered
 * loopback address, which a native program gets from its system each time (RFC 8252 §7.3).
 */
export function redirectUriMatches(registered: readonly string[], asked: string): boolean {
  return registered.includes(asked) || registered.some((known) => loopbackMatches(known, asked))
}

// Only forms without surprises: no user name, no other host, the same text before and after the port.
const LOOPBACK_FORM = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::(\d{1,5}))?((?:[/?].*)?)$/

function loopbackMatches(known: string, asked: string): boolean {
  const [, host, , rest] = LOOPBACK_FORM.exec(known) ?? []
  const [, askedHost, port, askedRest] = LOOPBACK_FORM.exec(asked) ?? []
  if (host === undefined || host !== askedHost || rest !== askedRest) return false
  return port === undefined || Number(port) <= 65_535
}
