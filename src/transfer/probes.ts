import type { Db } from '../kernel/index.ts'
import { returnProbes, type Side } from './storage-fault.store.ts'
import { sideKey } from './storage-health.ts'

/** Attempts at storages that were blocked, during one claim: those that are ours, each for one transfer. */
export interface Probes {
  /** Whether something may be started there. */
  free(side: Side): boolean
  /** Whether that would be the one attempt. */
  isDue(side: Side): boolean
  /** Notes a start; returns the attempts it makes. */
  use(srcRseId: number, dstRseId: number): readonly Side[]
  giveBack(tx: Db, now: Date): Promise<void>
}

export function createProbes(
  blocked: ReadonlySet<string>,
  taken: readonly Side[],
  due: ReadonlySet<string>,
): Probes {
  const ours = new Map(taken.map((side) => [sideKey(side), side]))
  return {
    free: (side) => !blocked.has(sideKey(side)) && (!due.has(sideKey(side)) || ours.has(sideKey(side))),
    isDue: (side) => ours.has(sideKey(side)),
    use(srcRseId, dstRseId) {
      const sides = [
        { rseId: srcRseId, side: 'source' },
        { rseId: dstRseId, side: 'destination' },
      ] as const
      return sides.filter((side) => ours.delete(sideKey(side)))
    },
    async giveBack(tx, now) {
      if (ours.size > 0) await returnProbes(tx, now, [...ours.values()])
    },
  }
}
