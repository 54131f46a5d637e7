import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFairShares, type Queue } from './fair-shares.ts'

const MB = 1_000_000n
const queue = (activity: string, rseId = 1, vo = 'demo'): Queue => ({ vo, rseId, activity })

/** Serves `turns` files, with every queue always full; returns the bytes each got, by its name. */
function serve(
  queues: readonly Queue[],
  turns: number,
  weights: Record<string, number>,
  size: (q: Queue) => bigint,
) {
  const shares = createFairShares((activity) => weights[activity] ?? 1)
  const got = new Map<Queue, bigint>(queues.map((q) => [q, 0n]))
  for (let i = 0; i < turns; i++) {
    const next = shares.next(queues)!
    shares.served(next, size(next))
    got.set(next, got.get(next)! + size(next))
  }
  return queues.map((q) => Number(got.get(q)! / MB))
}

describe('fair shares', () => {
  test('are by weight, in bytes and not in files', () => {
    const queues = [queue('Production'), queue('User')]
    const [production, user] = serve(
      queues,
      400,
      { Production: 3 },
      (q) => (q.activity === 'User' ? 1000n : 100n) * MB,
    )
    expect(production! / user!).toBeGreaterThan(2.7)
    expect(production! / user!).toBeLessThan(3.3)
  })

  test('let many small files not pass for little work', () => {
    const queues = [queue('small'), queue('large')]
    const [small, large] = serve(queues, 1000, {}, (q) => (q.activity === 'small' ? 1n : 996n) * MB)
    // A small one costs five times its bytes.
    expect(large! / small!).toBeGreaterThan(4)
  })

  test('are even between VOs, however many storages and activities one of them has', () => {
    const busy = [1, 2, 3].flatMap((rseId) =>
      ['a', 'b', 'c'].map((activity) => queue(activity, rseId, 'busy')),
    )
    const got = serve([...busy, queue('a', 9, 'small')], 1000, {}, () => 100n * MB)
    expect(got.at(-1)).toBe(50_000)
    expect(new Set(got.slice(0, -1)).size).toBeLessThanOrEqual(2)
  })

  test('owe nothing to a queue that had nothing to do', () => {
    const shares = createFairShares(() => 1)
    const [always, late] = [queue('always'), queue('late')]
    for (let i = 0; i < 100; i++) shares.served(shares.next([always])!, 10n * MB)
    const turns = Array.from({ length: 20 }, () => {
      const next = shares.next([always, late])!
      shares.served(next, 10n * MB)
      return next.activity
    })
    expect(turns.filter((activity) => activity === 'late').length).toBeLessThanOrEqual(11)
    expect(shares.next([])).toBeUndefined()
  })

  test('keep nobody waiting for long, whatever the sizes and weights', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 300, maxLength: 300 }),
        (weights, sizes) => {
          const queues = weights.map((_, i) => queue(String(i)))
          const shares = createFairShares((activity) => weights[Number(activity)]!)
          const cost = queues.map(() => 0)
          for (const size of sizes) {
            const next = shares.next(queues)!
            shares.served(next, BigInt(size) * MB)
            cost[Number(next.activity)]! += (size + 4.194304) / weights[Number(next.activity)]!
          }
          // Never further apart than one file of the largest size.
          expect(Math.max(...cost) - Math.min(...cost)).toBeLessThanOrEqual(505)
        },
      ),
    )
  })
})
