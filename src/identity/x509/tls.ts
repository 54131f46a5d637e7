import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Clock } from '../../kernel/ports.ts'
import { readCertificate } from './certificate.ts'
import { type VerifiedChain, verifyChain } from './chain.ts'
import type { TrustDirectory } from './trust.ts'

/**
 * For every TLS server that takes client certificates. OpenSSL's own judgement is not asked for, since it refuses
 * proxies; that the client holds the key is proved by the handshake all the same. Without tickets and without a
 * session cache no connection is resumed: a resumed one would know the leaf of the chain only.
 */
export const CLIENT_CERTIFICATE_OPTIONS = {
  requestCert: true,
  rejectUnauthorized: false,
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const

/** Clients may send the leaf twice, or roots; more than this is no honest chain. */
const MOST_PRESENTED = 20
/** A connection that stays open learns of a revocation after so long. */
const VERIFIED_MS = 60_000

const presented = new WeakMap<Socket, readonly Buffer[]>()

/**
 * The chain exactly as the client presented it, leaf first; empty when it presented none. Kept for the connection:
 * Node hands the certificates behind the leaf out only once.
 */
export function presentedChain(socket: Socket): readonly Buffer[] {
  if (!(socket instanceof TLSSocket)) return []
  const known = presented.get(socket)
  if (known) return known
  const chain: Buffer[] = []
  // Not getPeerCertificate(true): that one arranges the chain anew and loses proxies of the older kinds.
  let certificate = socket.getPeerX509Certificate()
  while (certificate && chain.length < MOST_PRESENTED) {
    chain.push(certificate.raw)
    certificate = certificate.issuerCertificate
  }
  presented.set(socket, chain)
  return chain
}

/** Who stands behind connections. */
export interface ClientCertificates {
  /** Undefined when no certificate was presented; throws `certificate_refused`, or `invalid_certificate`. */
  of(socket: Socket): Promise<VerifiedChain | undefined>
}

/** Verifies each connection's chain when first asked for, and remembers the outcome, good or bad, for a minute. */
export function clientCertificates(options: {
  readonly trust: TrustDirectory
  readonly clock: Pick<Clock, 'now'>
}): ClientCertificates {
  const { trust, clock } = options
  const known = new WeakMap<Socket, { at: number; chain: Promise<VerifiedChain | undefined> }>()
  const verified = async (socket: Socket): Promise<VerifiedChain | undefined> => {
    const chain = presentedChain(socket).map(readCertificate)
    return chain.length > 0
      ? verifyChain(chain, { trust: await trust.current(), now: clock.now() })
      : undefined
  }
  return {
    async of(socket) {
      const now = clock.now()
      const before = known.get(socket)
      if (before && now.getTime() - before.at < VERIFIED_MS) {
        const chain = await before.chain
        if (!chain || chain.expiresAt > now) return chain
      }
      const fresh = { at: now.getTime(), chain: verified(socket) }
      fresh.chain.catch(() => undefined)
      known.set(socket, fresh)
      return fresh.chain
    },
  }
}
