import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GridError, seededRng } from '../kernel/index.ts'
import { chooseSource, type SourceCandidate } from './choose-source.ts'
import { classify, nextTry } from './classify.ts'
import { type LinkRate, newLink, nextRate } from './link-rate.ts'

const error = (code: string, details: Record<string, unknown> = {}) =>
  new GridError({ code, kind: 'transient', message: code, details })
const now = new Date('2026-01-01T00:00:00Z')
const deadline = new Date('2026-01-02T00:00:00Z')

describe('a failed copy', () => {
  test.each([
    [error('remote_unreachable', { party: 'destination' }), 'away'],
    [error('remote_unreachable', { party: 'source' }), 'away'],
    [error('copy_outcome_unknown'), 'away'],
    [error('remote_failed', { party: 'destination', status: 503 }), 'overload'],
    [error('remote_overloaded', { party: 'source' }), 'overload'],
    [error('remote_failed', { party: 'destination', class: 'overload' }), 'overload'],
    [error('checksum_mismatch', { party: 'source' }), 'source_bad'],
    [error('remote_rejected', { party: 'source', status: 404 }), 'source_bad'],
    [error('storage_full'), 'fatal'],
    [error('remote_failed', { status: 507 }), 'fatal'],
    [error('remote_failed', { party: 'source', status: 500 }), 'retry'],
    [error('already_exists', { status: 412 }), 'retry'],
    [error('arrived_different', { party: 'destination' }), 'retry'],
    [new TypeError('x'), 'retry'],
  ])('%s is %s', (thrown, expected) => expect(classify(thrown)).toBe(expected))

  test('is tried eight times, the first time again after a second', () => {
    const rng = seededRng(1)
    let tries = { failures: 0, waits: 0 }
    let starts = 1
    for (;;) {
      const next = nextTry(tries, 'retry', { now, deadline }, rng)
      tries = next.tries
      if (!next.at) break
      if (starts === 1) expect(next.at.getTime() - now.getTime()).toBeLessThanOrEqual(1250)
      starts++
    }
    expect(starts).toBe(8)
  })

  test('waits for an absent site until the deadline, seldom but not never', () => {
    const rng = seededRng(1)
    let tries = { failures: 7, waits: 0 }
    for (let i = 0; i < 300; i++) {
      const next = nextTry(tries, 'away', { now, deadline }, rng)
      expect(next.at!.getTime() - now.getTime()).toBeLessThanOrEqual(15_000)
      tries = next.tries
    }
    expect(tries.failures).toBe(7)
    expect(nextTry(tries, 'away', { now: deadline, deadline }, rng).at).toBeNull()
  })
})

describe('the source', () => {
  const copy = (rseId: number, over: Partial<SourceCandidate> = {}): SourceCandidate => ({
    ...{ rseId, path: null, failures: 0, bad: 0, up: true, active: 0, maxActive: 4 },
    ...over,
  })
  test('with fewer failures and more room is taken, a full or absent one waited for', () => {
    const rng = seededRng(1)
    const chosen = (list: SourceCandidate[]) => {
      const choice = chooseSource(list, rng)
      return choice.kind === 'use' ? choice.source.rseId : choice.why
    }
    expect(chosen([copy(1, { failures: 1 }), copy(2)])).toBe(2)
    expect(chosen([copy(1, { active: 3 }), copy(2, { active: 1 })])).toBe(2)
    expect(chosen([copy(1, { up: false }), copy(2, { failures: 5 })])).toBe(2)
    expect(chosen([copy(1, { active: 4 })])).toBe('busy')
    expect(chosen([copy(1, { up: false })])).toBe('away')
    expect(chosen([copy(1, { bad: 2 })])).toBe('all_bad')
    expect(chosen([])).toBe('no_copy')
  })
  test('among equals is drawn by lot', () => {
    const rng = seededRng(7)
    const seen = new Set<number>()
    for (let i = 0; i < 50; i++) {
      const choice = chooseSource([copy(1), copy(2), copy(3)], rng)
      if (choice.kind === 'use') seen.add(choice.source.rseId)
    }
    expect(seen.size).toBe(3)
  })
})

describe('the rate of a link', () => {
  /** A link that carries `perCopy` each up to `capacity`, and loses above its knee. */
  const simulate = (capacity: number, perCopy: number, knee: number, epochs: number): LinkRate[] => {
    const history: LinkRate[] = []
    let link = newLink()
    for (let i = 1; i <= epochs; i++) {
      const n = link.maxActive
      const speed = Math.min(capacity, n * perCopy) * (n > knee ? knee / n : 1)
      const epoch = {
        now: i * 2000,
        seconds: 2,
        bytes: speed * 2,
        finished: 0,
        overloads: 0,
        saturated: true,
      }
      link = nextRate(link, epoch, 128)
      history.push(link)
    }
    return history
  }
  test('doubles until more copies bring no more, and stays near there', () => {
    const history = simulate(100e6, 5e6, 1000, 60)
    expect(history[7]!.maxActive).toBeGreaterThanOrEqual(16)
    for (const link of history.slice(8)) expect(link.maxActive).toBeLessThanOrEqual(40)
    expect(history.at(-1)!.rate).toBeGreaterThan(80e6)
  })
  test('of one that is full is what it carries, whatever it does at other times', () => {
    const epoch = { seconds: 2, bytes: 1e8, finished: 0, overloads: 0 }
    const idle = nextRate(newLink(), { ...epoch, now: 2000, saturated: false }, 128)
    expect(idle).toMatchObject({ rate: 5e7, busy: null })
    const full = nextRate(idle, { ...epoch, now: 4000, saturated: true }, 128)
    expect(full.busy).toBe(5e7)
    expect(nextRate(full, { ...epoch, bytes: 2, now: 6000, saturated: false }, 128).busy).toBe(5e7)
    expect(nextRate(full, { ...epoch, bytes: 0, finished: 8, now: 6000, saturated: true }, 128).busy).toBe(
      (5e7 + 4 * 262_144) / 2,
    )
  })
  test('halves at once on overload and does not grow while held', () => {
    const busy = { seconds: 2, bytes: 1e8, finished: 10, saturated: true }
    const before = { ...newLink(), maxActive: 32 }
    const hit = nextRate(before, { ...busy, now: 100_000, overloads: 3 }, 128)
    expect(hit.maxActive).toBe(16)
    expect(hit.rationale).toContain('overload')
    expect(nextRate(hit, { ...busy, now: 102_000, overloads: 0 }, 128).maxActive).toBe(16)
    expect(nextRate(hit, { ...busy, now: 102_000, overloads: 1 }, 128).maxActive).toBe(16)
  })
  test('is never below one nor above the limit, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1e9), fc.nat(3), fc.boolean())), (epochs) => {
        let link = newLink()
        epochs.forEach(([bytes, overloads, saturated], i) => {
          link = nextRate(link, { now: i * 2000, seconds: 2, bytes, finished: 1, overloads, saturated }, 20)
          expect(link.maxActive).toBeGreaterThanOrEqual(1)
          expect(link.maxActive).toBeLessThanOrEqual(20)
        })
      }),
    )
  })
})
