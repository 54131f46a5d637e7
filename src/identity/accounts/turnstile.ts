export interface Turnstile {
  /**
   * Runs `attempt` when at most `most` failures can result, counting those under way; otherwise waits until one of
   * them has ended. `failures` reads the count, `refuse` throws when it has reached the most.
   */
  pass<T>(
    key: string,
    limit: { most: number; failures: () => Promise<number>; refuse: () => never },
    attempt: () => Promise<T>,
  ): Promise<T>
}

/** Keeps a burst of parallel attempts within the limit that a row of single ones would meet. */
export function createTurnstile(): Turnstile {
  const gates = new Map<string, { here: number; inside: number; ended: number; waiting: (() => void)[] }>()
  return {
    async pass(key, { most, failures, refuse }, attempt) {
      const gate = gates.get(key) ?? { here: 0, inside: 0, ended: 0, waiting: [] }
      gates.set(key, gate)
      gate.here++
      try {
        for (;;) {
          const { ended } = gate
          const failed = await failures()
          // An attempt that ended meanwhile may be missing in the count.
          if (gate.ended !== ended) continue
          if (failed >= most) refuse()
          if (gate.inside < most - failed) break
          await new Promise<void>((resolve) => gate.waiting.push(resolve))
        }
        gate.inside++
        try {
          return await attempt()
        } finally {
          gate.inside--
          gate.ended++
          for (const wake of gate.waiting.splice(0)) wake()
        }
      } finally {
        gate.here--
        if (gate.here === 0) gates.delete(key)
      }
    },
  }
}
