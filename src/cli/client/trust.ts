import { readFileSync } from 'node:fs'
import { defineError, isGridError } from '../../kernel/errors.ts'
import type { Place } from './home.ts'

const unreachable = defineError('transient', 'server_unreachable')
const untrusted = defineError('fatal', 'server_untrusted')

/** A server that is there takes a connection within this time. */
export const CONNECT_MS = 10_000

/** Whom connections to the grid's servers trust: its authority. */
export const trustOf = ({ caFile }: Place): { ca?: Buffer } => (caFile ? { ca: readFileSync(caFile) } : {})

/** Why a server was not reached, in words that say what to do; anything else stays as it is. */
export function connectionFailure(error: unknown, target: URL, signal?: AbortSignal): unknown {
  if (signal?.aborted || isGridError(error)) return error
  const code = (error as { code?: string }).code ?? ''
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME/.test(code))
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
