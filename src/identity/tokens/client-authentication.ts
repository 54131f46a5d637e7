import { timingSafeEqual } from 'node:crypto'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import { invalidClient } from '../errors.ts'
import type { Client } from './client.ts'
import { type ClientRow, insertAssertion } from './clients.store.ts'
import { bare, type ClientBook } from './clients.ts'

/** What a client shows: a secret, a signed assertion (RFC 7523), or nothing. */
export interface ClientProof {
  readonly id: string
  readonly secret?: string
  readonly assertion?: string
}

export interface ClientAuthentication {
  /** The client, if it proves itself in the way it was registered for; throws invalid_client. */
  authenticateClient(vo: string, proof: ClientProof): Promise<Client>
}

const LONGEST_ASSERTION_SECONDS = 600
const LEEWAY_SECONDS = 60

export function createClientAuthentication(context: Context, clients: ClientBook): ClientAuthentication {
  const { db, now, issuer } = context
  const wrong = (cause?: unknown) =>
    invalidClient('The client is not known, or does not prove itself as registered.', undefined, cause)

  const keyIsRight = async (client: ClientRow, assertion: string): Promise<void> => {
    const jwks = client.jwks as unknown as JSONWebKeySet
    const { payload } = await jwtVerify(assertion, createLocalJWKSet(jwks), {
      algorithms: ['ES256', 'RS256'],
      issuer: client.id,
      subject: client.id,
      // RFC 7523 §3: the token endpoint, or the issuer.
      audience: [`${issuer(client.vo)}/token`, issuer(client.vo)],
      requiredClaims: ['exp', 'jti'],
      clockTolerance: LEEWAY_SECONDS,
      currentDate: now(),
    }).catch((error) => {
      throw wrong(error)
    })
    const expiresAt = new Date((payload.exp! + LEEWAY_SECONDS) * 1000)
    if (expiresAt.getTime() - now().getTime() > (LONGEST_ASSERTION_SECONDS + LEEWAY_SECONDS) * 1000)
      throw wrong()
    const key = digestOf(`${client.vo} ${client.id} ${payload.jti}`).toString('base64url')
    if (!(await insertAssertion(db, key, expiresAt))) throw wrong()
  }
  return {
    async authenticateClient(vo, { id, secret, assertion }) {
      const client = await clients.known(vo, id)
      // Unknown clients cost as much time as known ones.
      const right = secretIsRight(client, secret ?? '', now())
      if (!client?.enabled) throw wrong()
      if (client.auth === 'secret' && !(secret && right)) throw wrong()
      if (client.auth === 'key') {
        if (!assertion) throw wrong()
        await keyIsRight(client, assertion)
      }
      if (client.auth === 'none' && (secret || assertion)) throw wrong()
      return bare(client)
    },
  }
}

function secretIsRight(client: ClientRow | undefined, secret: string, now: Date): boolean {
  // Client secrets are random, so a fast hash is enough.
  const found = digestOf(secret)
  const previous = client?.previousUntil && client.previousUntil > now ? client.previousHash : null
  return [client?.hash, previous]
    .map((stored) => {
      const wanted = Buffer.from(stored ?? '', 'base64url')
      return wanted.length === found.length && timingSafeEqual(wanted, found)
    })
    .includes(true)
}
