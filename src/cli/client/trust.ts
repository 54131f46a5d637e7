import { existsSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import { defineError, isGridError } from '../../kernel/errors.ts'
import type { Place } from './home.ts'

const unreachable = defineError('transient', 'server_unreachable')
const untrusted = defineError('fatal', 'server_untrusted')

/** A server that is there takes a connection within this time. */
export const CONNECT_MS = 10_000

/** A certificate (with its issuers, as in a proxy file) and its key, to be presented to a server; PEM. */
export interface Credential {
  readonly cert: string
  readonly key: string
}

/**
 * Whom connections to the grid's servers trust: its authority, where the place names one, and nobody else; or those that
 * Node.js and this machine know (`NODE_EXTRA_CA_CERTS`).
 */
export function trustOf({ caFile }: Place, credential?: Credential): SecureContext {
  return withoutSystem(() =>
    createSecureContext({ ca: caFile ? readFileSync(caFile) : authorities(), ...credential }),
  )
}

function authorities(): string[] {
  const others = process.env.NODE_EXTRA_CA_CERTS
  return others && existsSync(others)
    ? [...rootCertificates, readFileSync(others, 'utf8')]
    : [...rootCertificates]
}

/**
 * Before Node.js makes the first list of whom to trust, it reads the one it would use by itself, only to see that the two
 * are different: 150 certificates, which took a third of what a command takes. `kumi` asks it for the system's instead,
 * and here the system has none.
 */
function withoutSystem<T>(make: () => T): T {
  const before = process.env.SSL_CERT_FILE
  process.env.SSL_CERT_FILE = devNull
  try {
    return make()
  } finally {
    if (before === undefined) delete process.env.SSL_CERT_FILE
    else process.env.SSL_CERT_FILE = before
  }
}

/** Why a server was not reached, in words that say what to do; anything else stays as it is. */
export function connectionFailure(error: unknown, target: URL, signal?: AbortSignal): unknown {
  if (signal?.aborted || isGridError(error)) return error
  const code = (error as { code?: string }).code ?? ''
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME|UNABLE_TO_VERIFY/.test(code))
    return untrusted(
      `The certificate of ${target.host} is not trusted (${code}).`,
      {
        hint: 'Name the authority that signed it: KUMI_CA=/path/to/ca.pem, or the home of its grid: --home',
      },
      error,
    )
  if (!code) return error
  return unreachable(
    `${target.host} cannot be reached (${code}).`,
    { hint: 'Look at it with: kumi status' },
    error,
  )
}
