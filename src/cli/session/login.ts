import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { isGridError } from '../../kernel/errors.ts'
import { findPlace, type Place } from '../client/home.ts'
import {
  askIssuer,
  type DeviceAnswer,
  LOGIN_SCOPE,
  type TokenAnswer,
  waitForDevice,
} from '../client/issuer.ts'
import { forgetSession, keepSession, keptSession } from '../client/kept-session.ts'
import { findToken, homeTokenFile, readTokenFile, storeToken, tokenClaims } from '../client/token.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { askPassword } from './password.ts'

interface LoginOptions extends SharedOptions {
  readonly vo?: string
  readonly tokenFile?: string
  readonly passwordFile?: string
  readonly browser?: boolean
  readonly code?: string
}

export async function login(name: string | undefined, options: LoginOptions): Promise<void> {
  const found = findPlace(options, process.env)
  const place = { ...found, vo: options.vo ?? found.vo }
  const answer = await tokensBy(place, name, options)
  const file = options.tokenFile ?? homeTokenFile(place.home)
  await storeToken(file, answer.access_token)
  // A token put elsewhere is for another program; the session of this one stays as it was.
  if (!options.tokenFile) {
    if (answer.refresh_token) await keepSession(place, process.env, answer.refresh_token)
    else await forgetSession(place, process.env)
  }
  const claims = tokenClaims(answer.access_token)
  const username = String(claims.kumi_account ?? name ?? claims.sub)
  const expires = Number(claims.exp)
  const until = Number.isFinite(expires) ? new Date(expires * 1000).toISOString() : null
  const { vo } = place
  const lasting = answer.refresh_token ? '; it is renewed by itself' : until ? ` until ${until}` : ''
  show(options, { username, vo, file, expires: until }, () => `Logged in as ${username} (${vo})${lasting}.`)
  if (options.tokenFile) return
  const used = findToken(place.home, process.env)
  if (used.source !== file && !options.quiet)
    process.stderr.write(`Note: the token in ${used.source} comes first and stays in use.\n`)
}

async function tokensBy(place: Place, name: string | undefined, options: LoginOptions): Promise<TokenAnswer> {
  const scope = LOGIN_SCOPE
  if (options.code) {
    const grant_type = 'urn:kumihimo:grant:one-time-code'
    return askIssuer(place, 'token', { grant_type, scope, code: options.code })
  }
  if (options.browser) return (await import('./browser-login.ts')).byBrowser(place)
  if (name === undefined && !options.passwordFile) return byDevice(place)
  const username = name ?? process.env.USER ?? 'admin'
  const password = options.passwordFile
    ? (await readFile(options.passwordFile, 'utf8')).trim()
    : await askPassword(`Password of ${username} at ${new URL(place.server).host}: `)
  return askIssuer(place, 'token', { grant_type: 'password', scope, username, password })
}

/** On a machine without a browser: the person confirms at any other one (RFC 8628). */
async function byDevice(place: Place): Promise<TokenAnswer> {
  const codes = await askIssuer<DeviceAnswer>(place, 'devicecode', { scope: LOGIN_SCOPE })
  process.stderr.write(
    `Open  ${codes.verification_uri}\nand enter the code  ${codes.user_code}\n(or open ${codes.verification_uri_complete})\nWaiting until you have confirmed there …\n`,
  )
  return waitForDevice(place, codes)
}

export async function logout(options: SharedOptions & { tokenFile?: string }): Promise<void> {
  const place = findPlace(options, process.env)
  const file = options.tokenFile ?? homeTokenFile(place.home)
  const session = options.tokenFile ? undefined : keptSession(place, process.env)
  const token = session ?? readTokenFile(file)?.token
  const was = existsSync(file) || session !== undefined
  const revoked = token ? await givenBack(place, token) : false
  await rm(file, { force: true })
  if (session) await forgetSession(place, process.env)
  show(options, { file, removed: was, revoked }, () => {
    if (!was) return 'You were not logged in.'
    return revoked
      ? 'Logged out.'
      : 'Logged out here; the server could not be told, so the token ends by itself.'
  })
}

/** Whether the issuer took it back, with all that came of it. */
async function givenBack(place: Place, token: string): Promise<boolean> {
  try {
    await askIssuer(place, 'revoke', { token })
    return true
  } catch (error) {
    if (isGridError(error)) return false
    throw error
  }
}
