import type { RseTable } from '../../catalog/index.ts'
import type { Identity } from '../../identity/index.ts'
import type { Clock, Db, Rng, Wakeups } from '../../kernel/index.ts'
import type { ProductionDeps } from '../../production/index.ts'
import type { Software } from '../../software/index.ts'
import type { CompleteDeps, LeaseDeps, Markets, rangeReader, Sandboxes } from '../../workload/index.ts'

/** What the routes about jobs and pilots need from the program that wires them. */
export interface JobDoorDeps {
  readonly db: Db
  readonly clock: Clock
  readonly rng: Rng
  readonly wakeups: Wakeups
  readonly identity: Identity
  readonly rses: RseTable
  readonly markets: Markets
  readonly verifyArrivals: CompleteDeps['verifyArrivals']
  readonly inspect: NonNullable<CompleteDeps['inspect']>
  /** Opens a copy to be read piece by piece. */
  readonly open: ReturnType<typeof rangeReader>
  readonly review: NonNullable<CompleteDeps['review']>
  readonly addRules: ProductionDeps['addRules']
  readonly storagesAt: LeaseDeps['storagesAt']
  readonly sandboxes: Sandboxes
  readonly software: Pick<Software, 'pin'>
  /** Audience of the tokens of pilots: this server. */
  readonly audience: string
}
