import { expect, test } from 'vitest'
import { backoffMs, defineError, retry, seededRng, systemClock, virtualClock } from './index.ts'

const busy = defineError('transient', 'busy')
const wrong = defineError('invalid', 'wrong')

test('only what says transient is tried again', async () => {
  const ports = { clock: { ...systemClock, sleep: async () => undefined }, rng: seededRng(1) }
  const policy = { attempts: 3, firstMs: 100, capMs: 1000 }
  let calls = 0
  const failing = (error: Error) => async () => {
    calls++
    throw error
  }
  await expect(retry(failing(busy('later')), policy, ports)).rejects.toThrow('later')
  expect(calls).toBe(3)
  calls = 0
  await expect(retry(failing(wrong('never')), policy, ports)).rejects.toThrow('never')
  expect(calls).toBe(1)
})

test('a back-off grows, is capped and never zero', () => {
  const rng = seededRng(7)
  const waits = [1, 2, 3, 4, 5, 6].map((n) => backoffMs(n, { firstMs: 100, capMs: 800 }, rng))
  for (const [i, wait] of waits.entries()) {
    const full = Math.min(800, 100 * 2 ** i)
    expect(wait).toBeGreaterThanOrEqual(full / 2)
    expect(wait).toBeLessThanOrEqual(full)
  }
})

test('a virtual clock wakes sleepers in the order of their time', async () => {
  const clock = virtualClock(new Date(0))
  const order: string[] = []
  const late = clock.sleep(200).then(() => order.push('late'))
  const early = clock.sleep(100).then(() => order.push('early'))
  clock.advance(1000)
  await Promise.all([late, early])
  expect(order).toEqual(['early', 'late'])
  expect(clock.now()).toEqual(new Date(1000))
})
