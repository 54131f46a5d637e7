/** Transfers that wait for one storage under one activity. */
export interface Queue {
  readonly vo: string
  readonly rseId: number
  readonly activity: string
}

/**
 * Whose turn it is when there is less room than wishes: VOs share it evenly, within a VO its destinations, and at a
 * destination activities by their weights, all in bytes. A queue that was empty for a while is owed nothing for that.
 */
export interface FairShares {
  next<T extends Queue>(queues: readonly T[]): T | undefined
  served(queue: Queue, bytes: bigint): void
}

/** What a file costs beside its bytes: many small files take as much time as a large one. */
const FILE_COST = 4_194_304

export function createFairShares(weightOf: (activity: string) => number): FairShares {
  // Start-time fair queueing: each child has a virtual time that grows with what it was served, over its weight.
  const passes = new Map<string, number>()
  const virtual = new Map<string, number>()
  const passOf = (parent: string, child: string): number =>
    Math.max(passes.get(`${parent}/${child}`) ?? 0, virtual.get(parent) ?? 0)

  const levels = [
    { parent: () => '', child: (q: Queue) => q.vo, weight: () => 1 },
    { parent: (q: Queue) => q.vo, child: (q: Queue) => String(q.rseId), weight: () => 1 },
    {
      parent: (q: Queue) => `${q.vo}/${q.rseId}`,
      child: (q: Queue) => q.activity,
      weight: (q: Queue) => weightOf(q.activity),
    },
  ] as const

  return {
    next(queues) {
      let left = queues
      for (const { parent, child } of levels) {
        const pass = (q: Queue): number => passOf(parent(q), child(q))
        const least = Math.min(...left.map(pass))
        const first = left.find((q) => pass(q) === least)
        if (!first) return undefined
        left = left.filter((q) => child(q) === child(first))
      }
      return left[0]
    },
    served(queue, bytes) {
      for (const { parent, child, weight } of levels) {
        const [above, self] = [parent(queue), child(queue)]
        const pass = passOf(above, self)
        virtual.set(above, pass)
        passes.set(`${above}/${self}`, pass + (Number(bytes) + FILE_COST) / weight(queue))
      }
    },
  }
}
