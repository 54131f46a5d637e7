/**
 * The one error type that crosses rooms.
 *
 * A domain throws; a door maps `code` and `kind` to its own wire; only `transient` is ever retried.
 */
export type ErrorKind =
  | 'invalid' // the request itself is wrong
  | 'unauthenticated' // who are you?
  | 'denied' // we know you, and the answer is no
  | 'missing' // there is no such thing (or you may not know of it)
  | 'conflict' // it contradicts what is already there
  | 'exhausted' // quota, disk or rate limit is used up
  | 'transient' // try again later
  | 'fatal' // a defect or broken installation

export interface GridErrorOptions {
  readonly code: string
  readonly kind: ErrorKind
  /** Shown to the caller: says what is wrong and, where possible, what to do. */
  readonly message: string
  /** Facts for the log and for JSON answers; never secrets. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

export class GridError extends Error {
  readonly code: string
  readonly kind: ErrorKind
  readonly details: Readonly<Record<string, unknown>>

  constructor(options: GridErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GridError'
    this.code = options.code
    this.kind = options.kind
    this.details = options.details ?? {}
  }
}

/** Builds the error function of one code, so that a room's `errors.ts` reads as a table. */
export function defineError(kind: ErrorKind, code: string) {
  return (message: string, details?: Record<string, unknown>, cause?: unknown): GridError =>
    new GridError({ code, kind, message, ...(details && { details }), ...(cause !== undefined && { cause }) })
}

export function isGridError(error: unknown, code?: string): error is GridError {
  return error instanceof GridError && (code === undefined || error.code === code)
}

/** Any thrown value as a GridError; unknown ones become `internal`/`fatal` and keep their cause. */
export function toGridError(error: unknown): GridError {
  if (error instanceof GridError) return error
  return new GridError({ code: 'internal', kind: 'fatal', message: 'Internal error', cause: error })
}
