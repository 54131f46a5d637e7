import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/** Time as the rooms see it; the digital twin supplies a virtual one. */
export interface Clock {
  now(): Date
  /** Resolves after `ms` or at once when the signal aborts (never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Uniform random numbers in [0, 1). */
export interface Rng {
  next(): number
}

export interface Ids {
  uuid(): string
  /** URL-safe random text of `bytes` random bytes, for one-time secrets. */
  secret(bytes: number): string
}

export interface Ports {
  readonly clock: Clock
  readonly rng: Rng
  readonly ids: Ids
}

export const systemClock: Clock = {
  now: () => new Date(),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal ? { signal } : {}).catch(() => undefined)
  },
}

export const systemPorts: Ports = {
  clock: systemClock,
  rng: { next: Math.random },
  ids: { uuid: randomUUID, secret: (bytes) => randomBytes(bytes).toString('base64url') },
}

/** A clock that moves only when told to; sleepers wake in order. */
export function virtualClock(start: Date): Clock & { advance(ms: number): void } {
  let now = start.getTime()
  const sleepers: { at: number; wake: () => void }[] = []
  return {
    now: () => new Date(now),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        sleepers.push({ at: now + ms, wake: resolve })
        signal?.addEventListener('abort', () => resolve(), { once: true })
      }),
    advance(ms) {
      now += ms
      const due = sleepers.filter((s) => s.at <= now).sort((a, b) => a.at - b.at)
      for (const sleeper of due) {
        sleepers.splice(sleepers.indexOf(sleeper), 1)
        sleeper.wake()
      }
    },
  }
}

/** Small deterministic generator (mulberry32) for tests, demos and simulations. */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0
      let t = state
      t = Math.imul(t ^ (t >>> 15), t | 1)
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296
    },
  }
}
