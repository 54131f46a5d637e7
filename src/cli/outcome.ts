import { CommanderError } from 'commander'
import { type ErrorKind, GridError, toGridError } from '../kernel/errors.ts'

/** What the exit status of every command means; part of the interface, also printed by `kumi --help`. */
export const exitCodes = {
  0: 'done',
  1: 'failed',
  2: 'wrong usage',
  3: 'not logged in, or not allowed',
  4: 'not found',
  5: 'done in part',
} as const

const codeOfKind: Readonly<Partial<Record<ErrorKind, number>>> = {
  invalid: 2,
  unauthenticated: 3,
  denied: 3,
  missing: 4,
}

const hints: Readonly<Partial<Record<ErrorKind, string>>> = {
  unauthenticated: 'Log in with: kumi login',
  denied: 'Ask an administrator of your collaboration, or log in as somebody else: kumi login --help',
}

/** Some of the work is done, some is not: the message says which. */
export function partial(message: string): GridError {
  return new GridError({ code: 'partial', kind: 'fatal', message })
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const known = toGridError(error)
  return known.code === 'partial' ? 5 : (codeOfKind[known.kind] ?? 1)
}

/** One clear sentence and, where there is one, what to do; the stack only when asked for. */
export function describeFailure(error: unknown, environment: NodeJS.ProcessEnv): string {
  const known = toGridError(error)
  const plain = error instanceof Error && !(error instanceof GridError) ? error.message : known.message
  const hint = typeof known.details.hint === 'string' ? known.details.hint : hints[known.kind]
  const lines = [`kumi: ${plain}`]
  if (hint && !plain.includes(hint)) lines.push(`      ${hint}`)
  if (environment.KUMI_DEBUG) lines.push((error instanceof Error && error.stack) || '')
  return lines.join('\n')
}
