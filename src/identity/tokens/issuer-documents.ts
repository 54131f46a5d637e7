import { issuerRefused } from '../errors.ts'
import { importKey } from './token.ts'
import type { JwksDocument } from './token-verifier.ts'

/** GETs a document of an issuer through the guarded fetcher. */
export type FetchDocument = (url: string) => Promise<Uint8Array>

/**
 * The present keys of an issuer, found through its discovery document, which must call it exactly `callsItself`. Throws
 * issuer_refused for documents that will not do, and what the fetcher throws.
 */
export async function fetchIssuerKeys(
  fetch: FetchDocument,
  issuer: string,
  callsItself: string,
): Promise<JwksDocument> {
  const about = await discovery(fetch, issuer)
  if (about.document.issuer !== callsItself) {
    throw issuerRefused(
      `${about.url} is of the issuer ${JSON.stringify(about.document.issuer)}, not of ${JSON.stringify(callsItself)}. Both have to agree in every character, also in a slash at the end.`,
    )
  }
  const { jwks_uri } = about.document
  if (typeof jwks_uri !== 'string' || URL.parse(jwks_uri)?.protocol !== 'https:') {
    throw issuerRefused(`${about.url} names no key set at an https address.`)
  }
  const document = json(await fetch(jwks_uri), jwks_uri)
  const keys = Array.isArray(document.keys) ? (document.keys as JwksDocument['keys']) : []
  const usable = keys.filter((jwk) => typeof jwk === 'object' && jwk !== null && importKey(jwk))
  if (usable.length === 0)
    throw issuerRefused(`${jwks_uri} holds no key for ES256 or RS256 with a name (kid).`)
  return { keys: usable.map(publicPart) }
}

/** OpenID Connect Discovery §4; where that is missing, RFC 8414 §3.1, which puts the path of the issuer last. */
async function discovery(
  fetch: FetchDocument,
  issuer: string,
): Promise<{ url: string; document: Record<string, unknown> }> {
  const bare = issuer.replace(/\/$/, '')
  const { origin, pathname } = new URL(bare)
  const path = pathname === '/' ? '' : pathname
  const first = `${bare}/.well-known/openid-configuration`
  try {
    return { url: first, document: json(await fetch(first), first) }
  } catch (error) {
    const second = `${origin}/.well-known/oauth-authorization-server${path}`
    try {
      return { url: second, document: json(await fetch(second), second) }
    } catch {
      throw error
    }
  }
}

function json(bytes: Uint8Array, url: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // Said below.
  }
  throw issuerRefused(`${url} is no JSON object.`)
}

/** Only what a public key is made of: no addresses of certificates, nothing private. */
function publicPart(jwk: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const names = ['kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'alg']
  return Object.fromEntries(names.filter((name) => name in jwk).map((name) => [name, jwk[name]]))
}
