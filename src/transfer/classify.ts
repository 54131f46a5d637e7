import { backoffMs, isGridError, type Rng } from '../kernel/index.ts'

/**
 * What a failure means for the next start. `away`: a site cannot be reached, wait for it; `overload`: wait and ask for
 * less at once; `source_bad`: this copy is not what the catalogue says; `retry`: try again a limited number of times.
 */
export type FailureClass = 'retry' | 'away' | 'overload' | 'source_bad' | 'fatal'
export type Party = 'source' | 'destination' | 'transfer'

export interface TransferError {
  readonly code: string
  readonly message: string
  readonly party: Party
}

const AWAY = new Set(['remote_unreachable', 'copy_outcome_unknown'])
const FATAL = new Set([
  'storage_full',
  'bad_path',
  'invalid_scope',
  'host_not_allowed',
  'no_protocol',
  'no_source',
  'is_a_directory',
  'not_a_directory',
  'transfer_expired',
  'destination_changed',
])

export function classify(error: unknown): FailureClass {
  if (!isGridError(error)) return 'retry'
  const { code, details } = error
  const { party, status } = details
  if (FATAL.has(code)) return 'fatal'
  if (code === 'remote_overloaded' || status === 429 || status === 503) return 'overload'
  if (AWAY.has(code)) return 'away'
  if (details.class === 'overload') return 'overload'
  if (code === 'checksum_mismatch' || code === 'size_mismatch') return 'source_bad'
  if (party === 'source' && (status === 404 || status === 410)) return 'source_bad'
  if (status === 507) return 'fatal'
  return 'retry'
}

/** Answers that are about one file, not about the storage. */
const ABOUT_A_FILE = new Set([404, 409, 410, 412])

/** The side whose storage is at fault; null when the failure tells nothing about a storage. */
export function faultySide(error: unknown): 'source' | 'destination' | null {
  if (!isGridError(error)) return null
  const { party, status } = error.details
  if (party !== 'source' && party !== 'destination') return null
  const kind = classify(error)
  const broken = error.code === 'storage_full' || status === 507 || kind === 'away' || kind === 'retry'
  return broken && !ABOUT_A_FILE.has(Number(status)) ? party : null
}

export function describeError(error: unknown): TransferError {
  if (!isGridError(error))
    return {
      code: 'internal',
      message: error instanceof Error ? error.message : String(error),
      party: 'transfer',
    }
  const { party } = error.details
  return {
    code: error.code,
    message: error.message,
    party: party === 'source' || party === 'destination' ? party : 'transfer',
  }
}

export interface Tries {
  /** Starts that count against the limit, and those that met an absent or overloaded site. */
  readonly failures: number
  readonly waits: number
}

export const MOST_FAILURES = 8
const PAUSES_MS = [1_000, 2_000, 5_000, 15_000, 60_000]

/**
 * Counts a failure and says when to try again; null: never. Waiting for a site ends only with the transfer's deadline,
 * so that a gateway that is restarted does not fail a rule.
 */
export function nextTry(
  tries: Tries,
  kind: FailureClass,
  times: { now: Date; deadline: Date },
  rng: Rng,
): { tries: Tries; at: Date | null } {
  const waiting = kind === 'away' || kind === 'overload'
  const after: Tries = waiting
    ? { failures: tries.failures, waits: Math.min(tries.waits + 1, 32_000) }
    : { failures: tries.failures + 1, waits: tries.waits }
  if (kind === 'fatal' || after.failures >= MOST_FAILURES) return { tries: after, at: null }
  const pause = waiting
    ? backoffMs(after.waits, { firstMs: 1_000, capMs: 15_000 }, rng)
    : PAUSES_MS[Math.min(after.failures, PAUSES_MS.length) - 1]! * (0.75 + rng.next() / 2)
  const at = new Date(times.now.getTime() + Math.round(pause))
  return { tries: after, at: at > times.deadline ? null : at }
}
