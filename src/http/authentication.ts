import type { FastifyRequest } from 'fastify'
import { anonymous, notAuthenticated, type Principal } from '../identity/verifier.ts'
import { isGridError } from '../kernel/errors.ts'
import type { Authenticator } from './authenticator.ts'

/** Finds out who asks, and decides at once where the route's action alone says enough. */
export async function authenticate(
  request: FastifyRequest,
  identity: Authenticator,
  accept: { audience: readonly string[] },
): Promise<void> {
  const action = request.routeOptions.config.action
  const credential = credentialOf(request, identity.verifySession !== undefined)
  if (credential) {
    try {
      request.principal = credential.cookie
        ? await identity.verifySession!(credential.token)
        : await identity.verify(credential.token, accept)
      if (credential.cookie && !isSafeMethod(request.method) && request.headers['x-kumi-console'] !== '1') {
        throw notAuthenticated(
          'A session cookie changes something only together with the header X-Kumi-Console: 1.',
        )
      }
    } catch (error) {
      request.principal = anonymous
      const tolerable = isGridError(error) && (error.kind === 'unauthenticated' || error.kind === 'denied')
      if (action !== 'public' || !tolerable) {
        // Paths that do not exist answer 404, whatever the token.
        if (action !== undefined || !tolerable) throw error
      }
    }
  }
  if (action === undefined || action === 'public') return
  if (!credential) request.principal = await bearerOfCertificate(request, identity)
  if (request.principal.kind === 'anonymous') {
    throw notAuthenticated(
      'Log in first: this needs a token (Authorization: Bearer …) or a certificate known here.',
    )
  }
  if (!request.routeOptions.config.laterResource) {
    identity.authorize(request.principal, action, { vo: request.principal.vo })
  }
}

function credentialOf(
  request: FastifyRequest,
  sessions: boolean,
): { token: string; cookie: boolean } | undefined {
  const bearer = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (bearer) return { token: bearer, cookie: false }
  const rucio = request.headers['x-rucio-auth-token']
  if (typeof rucio === 'string' && rucio !== '') return { token: rucio, cookie: false }
  if (!sessions) return undefined
  const cookie = /(?:^|;\s*)kumi_session=([^;\s]+)/.exec(request.headers.cookie ?? '')?.[1]
  return cookie ? { token: cookie, cookie: true } : undefined
}

/** A certificate counts where no token came along. */
async function bearerOfCertificate(request: FastifyRequest, identity: Authenticator): Promise<Principal> {
  const chain = await request.clientCertificate()
  if (!chain || !identity.verifyCertificate) return anonymous
  const { headers } = request
  const vo = (request.params as { vo?: unknown } | null)?.vo ?? headers['x-rucio-vo']
  return identity.verifyCertificate(chain, typeof vo === 'string' ? { vo } : {})
}

/**
 * Browsers send their certificate with whatever another page makes them ask, so from a browser it counts only together
 * with the header that no foreign page can set.
 */
export function mayShowCertificate({ headers }: FastifyRequest): boolean {
  const browser = headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
  return !browser || headers['x-kumi-console'] === '1'
}

function isSafeMethod(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}
