import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { defineError, isGridError } from '../../kernel/errors.ts'
import { openConnections } from './connections.ts'
import { failureOf } from './failure.ts'
import type { Place } from './home.ts'

const refused = defineError('denied', 'login_refused')
const tooLate = defineError('unauthenticated', 'login_too_late')

/** The command line's own name at the issuer; it runs on people's machines and keeps no secret. */
export const CLIENT_ID = 'kumi-cli'

const PATIENCE_MS = 120_000

/** What a login asks for: everything the person may do, and not to be asked again for a while. */
export const LOGIN_SCOPE =
  'openid profile offline_access grid storage.read:/ storage.modify:/ storage.stage:/ wlcg.groups'

export interface TokenAnswer {
  readonly access_token: string
  readonly refresh_token?: string
  readonly expires_in: number
  readonly scope: string
}

export interface DeviceAnswer {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri: string
  readonly verification_uri_complete: string
  readonly expires_in: number
  readonly interval: number
}

/** Where the place's issuer says that it is, and where browsers begin. */
export interface IssuerFacts {
  readonly issuer: string
  readonly authorization_endpoint: string
}

type Endpoint = 'token' | 'devicecode' | 'revoke' | '.well-known/openid-configuration'

/** Posts a form to an endpoint of the place's issuer, or gets its description; throws what it says when it refuses. */
export async function askIssuer<T>(
  place: Place,
  endpoint: Endpoint,
  form?: Readonly<Record<string, string>>,
): Promise<T> {
  const connections = openConnections(place)
  const target = new URL(`${place.server}/iam/${encodeURIComponent(place.vo)}/${endpoint}`)
  const type = form && { 'content-type': 'application/x-www-form-urlencoded' }
  try {
    const answer = await connections.request(target, {
      ...{ method: form ? 'POST' : 'GET', headers: { 'user-agent': 'kumi', ...type } },
      body: form && new URLSearchParams({ client_id: CLIENT_ID, ...form }).toString(),
      patienceMs: PATIENCE_MS,
    })
    const said = await text(answer.body)
    if (answer.status >= 300) throw failureOf(answer.status, said, `Asking ${target.pathname}`)
    return JSON.parse(said) as T
  } finally {
    connections.close()
  }
}

/** Asks until the person at the browser has decided, no more often than the issuer likes (RFC 8628 §3.5). */
export async function waitForDevice(
  place: Place,
  { device_code, interval, expires_in }: DeviceAnswer,
): Promise<TokenAnswer> {
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  const end = Date.now() + expires_in * 1000
  let seconds = interval
  while (Date.now() < end) {
    await delay(seconds * 1000)
    try {
      return await askIssuer<TokenAnswer>(place, 'token', { grant_type, device_code })
    } catch (error) {
      if (isGridError(error, 'slow_down')) seconds += 5
      else if (isGridError(error, 'access_denied')) throw refused('The login was refused at the browser.')
      else if (isGridError(error, 'expired_token')) break
      else if (!isGridError(error, 'authorization_pending') && !isGridError(error, 'server_unreachable')) {
        throw error
      }
    }
  }
  throw tooLate('Nobody confirmed the login in time; begin again: kumi login')
}
