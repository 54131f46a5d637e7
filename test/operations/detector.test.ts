import { beforeAll, describe, expect, it } from 'vitest'
import { BENIGN, type Kind } from '../../bench/detector/incidents.ts'
import { type Replayed, replay } from '../../bench/detector/replay.ts'
import { qualityOf, type Score, scoreOfBaseline, scoreOfDetector } from '../../bench/detector/score.ts'
import { CORPUS, FIRST_UNKNOWN_SEED } from '../../bench/detector.ts'

describe('the detector in the replay of days with many incidents', () => {
  let replayed: Replayed
  let ours: Score
  beforeAll(() => {
    // A seed that nobody looked at while the rules were written.
    replayed = replay({ seed: FIRST_UNKNOWN_SEED, ...CORPUS })
    ours = scoreOfDetector(replayed)
    // Much to compute, and other tests beside it.
  }, 600_000)

  it('meets a hundred incidents of all kinds, several at a time', () => {
    expect(replayed.incidents.length).toBeGreaterThanOrEqual(100)
    expect(ours.kinds.every(({ incidents }) => incidents === CORPUS.each)).toBe(true)
  })

  it('finds nearly all of them, within 70 minutes', () => {
    expect(ours.recall).toBeGreaterThanOrEqual(0.97)
    expect(ours.p90Minutes).toBeLessThanOrEqual(70)
  })

  it('hardly ever opens a card for nothing, nor two for one incident', () => {
    expect(ours.precision).toBeGreaterThanOrEqual(0.95)
    expect(ours.episodesPerIncident).toBeLessThanOrEqual(1.2)
  })

  it('shuts out hardly any site that is well', () => {
    expect(replayed.saved).toBeGreaterThan(0)
    expect(replayed.lost / replayed.saved).toBeLessThanOrEqual(0.05)
  })

  it.each(['Banned', 'Degraded'])('is beaten on no kind by the ratio rule %s', (name) => {
    const theirs = scoreOfBaseline(replayed, replayed.baselines[name]!)
    const harmful = ours.kinds.filter(({ kind }) => !(BENIGN as readonly Kind[]).includes(kind))
    const beaten = harmful.filter((kind) => {
      const other = theirs.kinds.find((one) => one.kind === kind.kind)!
      return kind.found < other.found || qualityOf(kind, ours.precision) <= qualityOf(other, theirs.precision)
    })
    expect(beaten.map(({ kind }) => kind)).toEqual([])
  })
})
