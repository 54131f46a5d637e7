import { invalidClientMetadata, invalidPassword, invalidRequest } from '../errors.ts'
import { type ClientFacts, GRANTS } from './client.ts'
import { checkRedirectUri } from './redirect-uri.ts'
import { importKey } from './token.ts'
import { askedScope } from './vocabulary.ts'

const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/
const SHORTEST_SECRET = 24
const MOST_REDIRECT_URIS = 20

/** Throws unless the client makes sense as a whole; what it says is what the token endpoint relies on. */
export function checkClient(c: ClientFacts, secret?: string): void {
  if (!ID.test(c.id)) throw invalidRequest(`"${c.id}" is no client id: use letters, digits and . _ : -`)
  if (secret !== undefined && secret.length < SHORTEST_SECRET) {
    throw invalidPassword(`A client secret has at least ${SHORTEST_SECRET} characters.`)
  }
  if (c.name.length > 200 || c.description.length > 2000) throw invalidClientMetadata('The name is too long.')
  for (const scope of c.scopes) askedScope(scope)
  for (const audience of c.audiences) checkAudience(audience)
  if (c.redirectUris.length > MOST_REDIRECT_URIS) {
    throw invalidClientMetadata(`A client has at most ${MOST_REDIRECT_URIS} redirect URIs.`)
  }
  for (const uri of c.redirectUris) checkRedirectUri(uri)
  checkGrants(c)
  checkLifetimes(c)
  if ((c.auth === 'key') !== (c.jwks !== null)) {
    throw invalidClientMetadata('A client with private_key_jwt, and no other, gives its public keys (jwks).')
  }
  for (const key of c.jwks?.keys ?? []) checkKey(key)
}

function checkGrants(c: ClientFacts): void {
  for (const grant of c.grants) {
    if (!GRANTS.includes(grant)) throw invalidClientMetadata(`There is no grant "${grant}" here.`)
    const ofPeople = grant === 'password' || grant === 'urn:kumihimo:grant:one-time-code'
    if (ofPeople && c.origin !== 'grid') {
      throw invalidClientMetadata(`The grant ${grant} is for the grid's own programs only.`)
    }
    const ofItself =
      grant === 'client_credentials' || grant === 'urn:ietf:params:oauth:grant-type:token-exchange'
    if (ofItself && c.auth === 'none') {
      throw invalidClientMetadata(`The grant ${grant} needs a client that proves itself.`)
    }
    if (grant === 'client_credentials' && c.accountId === null) {
      throw invalidClientMetadata('A client with client_credentials needs the account it acts as.')
    }
  }
  if (c.grants.includes('authorization_code') && c.redirectUris.length === 0) {
    throw invalidClientMetadata('A client with authorization_code needs a redirect URI.')
  }
}

function checkLifetimes({ accessSeconds, refreshSeconds, graceSeconds }: ClientFacts): void {
  const within = (value: number, least: number, most: number, what: string): void => {
    if (Number.isInteger(value) && value >= least && value <= most) return
    throw invalidClientMetadata(`${what} must be from ${least} to ${most} seconds.`)
  }
  within(accessSeconds, 60, 6 * 3600, 'The lifetime of access tokens')
  within(refreshSeconds, 3600, 400 * 86_400, 'The lifetime of refresh tokens')
  within(graceSeconds, 0, 86_400, 'The grace of a replaced refresh token')
}

function checkKey(jwk: Readonly<Record<string, unknown>>): void {
  if ('d' in jwk || 'k' in jwk)
    throw invalidClientMetadata('Give the public key only, never the private one.')
  const known = importKey({ kid: '-', ...jwk })
  const bits = known?.key.asymmetricKeyDetails?.modulusLength
  if (!known || (bits !== undefined && bits < 2048)) {
    throw invalidClientMetadata('A key must be EC P-256, or RSA of at least 2048 bits.')
  }
}

/** An audience is a URI or a name, one word of printable ASCII; throws invalid_client_metadata. */
export function checkAudience(audience: string): void {
  if (/^[\x21-\x7e]{1,255}$/.test(audience)) return
  throw invalidClientMetadata(`"${audience}" is no audience: write it like https://host:port.`)
}
