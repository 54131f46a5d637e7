import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { invalidToken } from '../errors.ts'
import { type Algorithm, signatureIsRight, unverified } from './jws.ts'
import { parseScopes, type Scope } from './scope.ts'

/** The audience that means "every service"; user tokens carry it. */
export const ANY_AUDIENCE = 'https://wlcg.cern.ch/jwt/v1/any'
const MAX_TOKEN_BYTES = 16 * 1024
const LEEWAY_SECONDS = 60
const ALGORITHMS: readonly unknown[] = ['ES256', 'RS256'] satisfies Algorithm[]
const MAX_REMEMBERED = 5000

export interface Claims {
  readonly iss: string
  readonly sub: string
  readonly aud: readonly string[]
  readonly exp: number
  readonly jti: string
  readonly groups: readonly string[]
  readonly scopes: readonly Scope[]
  readonly account: string | null
  readonly clientId: string | null
  /** The grant it comes from. */
  readonly grantId: string | null
  readonly authenticatedAt: Date | null
  readonly actors: readonly string[]
}

export interface PublicKey {
  readonly kid: string
  readonly alg: Algorithm
  readonly key: KeyObject
}

/** A published key, if it is one we accept signatures of. */
export function importKey(jwk: Readonly<Record<string, unknown>>): PublicKey | undefined {
  const alg = jwk.kty === 'EC' && jwk.crv === 'P-256' ? 'ES256' : jwk.kty === 'RSA' ? 'RS256' : undefined
  if (!alg || typeof jwk.kid !== 'string' || (jwk.alg !== undefined && jwk.alg !== alg)) return undefined
  try {
    return { kid: jwk.kid, alg, key: createPublicKey({ key: { ...jwk }, format: 'jwk' }) }
  } catch {
    return undefined
  }
}

/**
 * Checks tokens in the strict order of the profile: size, header, issuer, key, signature, times, version, audience,
 * scopes. `keyOf` is asked only for issuers that are trusted; a good signature is remembered.
 */
export function tokenChecker(options: {
  trusts(issuer: string): boolean
  keyOf(issuer: string, kid: string): Promise<PublicKey | undefined>
  now(): Date
}) {
  const remembered = new Map<string, Record<string, unknown>>()
  const signed = async (token: string): Promise<Record<string, unknown>> => {
    const digest = createHash('sha256').update(token).digest('base64')
    const known = remembered.get(digest)
    if (known) return known
    const parts = unverified(token)
    if (!parts) throw invalidToken('This is not a token.')
    const { header, payload } = parts
    if (!ALGORITHMS.includes(header.alg) || header.crit !== undefined) {
      throw invalidToken('The token is signed in a way that is not accepted.')
    }
    if (typeof header.kid !== 'string') throw invalidToken('The token does not name its key.')
    const { iss } = payload
    if (typeof iss !== 'string' || !options.trusts(iss)) {
      throw invalidToken('The token is from an unknown issuer.')
    }
    const key = await options.keyOf(iss, header.kid)
    if (!key || key.alg !== header.alg) throw invalidToken('The key of the token is not known.')
    if (!signatureIsRight(token, key.key)) throw invalidToken('The signature of the token is wrong.')
    if (remembered.size >= MAX_REMEMBERED) remembered.delete(remembered.keys().next().value!)
    remembered.set(digest, payload)
    return payload
  }
  return {
    forget: () => remembered.clear(),
    async check(token: string, audience: readonly string[] | 'any'): Promise<Claims> {
      if (token.length > MAX_TOKEN_BYTES) throw invalidToken('The token is too long.')
      return claimsOf(await signed(token), audience, options.now().getTime() / 1000)
    },
  }
}

function claimsOf(p: Record<string, unknown>, audience: readonly string[] | 'any', now: number): Claims {
  if (typeof p.exp !== 'number' || p.exp <= now) throw invalidToken('The token has expired; log in again.')
  for (const start of [p.nbf, p.iat]) {
    if (start !== undefined && (typeof start !== 'number' || start > now + LEEWAY_SECONDS)) {
      throw invalidToken('The token is not valid yet; check the clocks.')
    }
  }
  if (!/^1\.\d+$/.test(String(p['wlcg.ver']))) throw invalidToken('The token has an unknown profile version.')
  const aud = [p.aud].flat()
  if (audience !== 'any' && !aud.some((a) => typeof a === 'string' && audience.includes(a))) {
    throw invalidToken('The token is meant for another service.')
  }
  if (typeof p.sub !== 'string' || typeof p.jti !== 'string' || typeof p.iss !== 'string') {
    throw invalidToken('The token lacks a required claim.')
  }
  let scopes: Scope[]
  try {
    scopes = parseScopes(typeof p.scope === 'string' ? p.scope : '')
  } catch (cause) {
    throw invalidToken('The token has an unusable storage scope.', undefined, cause)
  }
  const groups = Array.isArray(p['wlcg.groups']) ? p['wlcg.groups'].filter((g) => typeof g === 'string') : []
  const text = (claim: unknown) => (typeof claim === 'string' ? claim : null)
  return {
    ...{ iss: p.iss, sub: p.sub, aud: aud as string[], exp: p.exp, jti: p.jti },
    ...{
      groups,
      scopes,
      account: text(p.kumi_account),
      clientId: text(p.client_id),
      grantId: text(p.kumi_grant),
    },
    authenticatedAt: typeof p.auth_time === 'number' ? new Date(p.auth_time * 1000) : null,
    actors: actorsOf(p.act),
  }
}

/** RFC 8693 §4.1: the present actor is outermost, those before it are nested. */
function actorsOf(act: unknown): string[] {
  const actors: string[] = []
  for (let at = act; at !== null && typeof at === 'object'; at = (at as { act?: unknown }).act) {
    const { sub } = at as { sub?: unknown }
    if (typeof sub !== 'string') throw invalidToken('The token names an actor without a subject.')
    actors.push(sub)
  }
  return actors
}
