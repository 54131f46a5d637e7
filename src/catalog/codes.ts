import type { Availability, DidKind, ReplicaState } from './types.ts'

/** One letter per word in the tables. */
export const STATE_CODE: Readonly<Record<ReplicaState, string>> = {
  AVAILABLE: 'A',
  UNAVAILABLE: 'U',
  COPYING: 'C',
  BEING_DELETED: 'B',
  BAD: 'D',
  SUSPICIOUS: 'S',
  TEMPORARY_UNAVAILABLE: 'T',
}
const STATE_OF = new Map(Object.entries(STATE_CODE).map(([state, code]) => [code, state as ReplicaState]))
export const stateOf = (code: string): ReplicaState => STATE_OF.get(code)!

export const AVAILABILITY_CODE: Readonly<Record<Availability, string>> = {
  AVAILABLE: 'A',
  LOST: 'L',
  DELETED: 'D',
}
export const availabilityOf = (code: string): Availability =>
  code === 'A' ? 'AVAILABLE' : code === 'L' ? 'LOST' : 'DELETED'

/** null: a file. */
export const kindOf = (code: string | null): DidKind =>
  code === null ? 'FILE' : code === 'D' ? 'DATASET' : 'CONTAINER'

export function* chunks<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}

export const didText = (did: { scope: string; name: string }): string => `${did.scope}:${did.name}`

/** The first few of a long list, for messages. */
export function some(texts: readonly string[], most = 5): string {
  const shown = texts.slice(0, most).join(', ')
  return texts.length > most ? `${shown} and ${texts.length - most} more` : shown
}
