import type { Logger } from '../../kernel/log.ts'
import type { BatchSystem, PilotFile } from './batch-system.ts'

/** A batch system that orders of the server describe, kept open by a gateway. */
export interface PlacedBatch extends BatchSystem {
  /** Places of which this is equal are reached through one connection. */
  readonly connection: string
  /** Pause between two looks. */
  readonly pollSeconds: number
  /** Makes what must be there before the first order, such as keys of the gateway. */
  prepare(): Promise<void>
  /** Goes all the way to a submission that is not made, and stops at the first step that does not work. */
  test(offer: PilotFile, step: TakeStep): Promise<void>
  /** Forgets the connection. */
  close(): Promise<void>
}

/** Notes one step of a test: what came of it, or undefined where it did not work. */
export type TakeStep = <T>(
  name: string,
  work: () => Promise<readonly [T, message: string]>,
) => Promise<T | undefined>

export interface PlaceToken {
  readonly token: string
  readonly expiresAt: Date
}

/** Where a place has its files, and whose it is. */
export interface PlaceSetting {
  readonly gateway: string
  /** Of the place: letters, digits, "_" and "-". */
  readonly name: string
  /** Of the place alone, at the gateway. */
  readonly directory: string
  /** Of all places of this gateway. */
  readonly shared: string
  /** The compiled pilot program. */
  readonly program: string
  /** PEM of the authorities that the gateway trusts. */
  readonly authorities: () => Promise<readonly string[]>
  /** A token of the gateway's own issuer for this place and nobody else. */
  readonly token: () => Promise<PlaceToken>
  readonly log: Logger
}

/** A kind of batch system: understands how orders describe its places, and opens them. */
export interface BatchKind<Place> {
  /** Takes nothing but what can be used as it is. Throws bad_cluster. */
  read(given: unknown): Place
  /** Asks nothing of the place yet. */
  open(place: Place, setting: PlaceSetting): PlacedBatch
}
