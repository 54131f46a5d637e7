/** Who may copy now and who waits: first come, first served on each link, within what all links may do together. */
export interface Turns {
  /** Resolves when it is the caller's turn; throws the signal's reason when that comes first. Whoever had a turn ends it. */
  take(link: string, signal: AbortSignal): Promise<void>
  end(link: string): void
  /** How many wait on a link. */
  waiting(link: string): number
  /** Looks again who may go: a link may carry more than before. */
  look(): void
}

/** `room` tells how many copies a link may carry, `most` how many all links together. */
export function createTurns(room: (link: string) => number, most: number): Turns {
  const running = new Map<string, number>()
  const waiting = new Map<string, Set<() => void>>()
  let all = 0

  const free = (link: string): boolean => all < most && (running.get(link) ?? 0) < room(link)
  function go(link: string): void {
    all++
    running.set(link, (running.get(link) ?? 0) + 1)
  }
  function look(): void {
    for (const [link, queue] of waiting)
      for (const next of queue) {
        if (!free(link)) break
        queue.delete(next)
        go(link)
        next()
      }
  }

  return {
    async take(link, signal) {
      signal.throwIfAborted()
      const queue = waiting.get(link) ?? new Set()
      waiting.set(link, queue)
      if (queue.size === 0 && free(link)) return go(link)
      await new Promise<void>((resolve, reject) => {
        const next = (): void => {
          signal.removeEventListener('abort', giveUp)
          resolve()
        }
        const giveUp = (): void => {
          queue.delete(next)
          reject(signal.reason)
        }
        queue.add(next)
        signal.addEventListener('abort', giveUp, { once: true })
      })
    },
    end(link) {
      all--
      running.set(link, running.get(link)! - 1)
      look()
    },
    waiting: (link) => waiting.get(link)?.size ?? 0,
    look,
  }
}
