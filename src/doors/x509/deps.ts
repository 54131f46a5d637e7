import type { Identity, PublishedAuthority } from '../../identity/index.ts'
import type { Clock } from '../../kernel/ports.ts'

/** What the door needs from the program that wires it. */
export interface X509DoorDeps {
  readonly identity: Identity
  readonly clock: Clock
  /** The VO of addresses that name none. */
  readonly vo: string
  /** The grid's own authorities, root first, each as it belongs into a trust directory. */
  readonly authorities: readonly PublishedAuthority[]
}
