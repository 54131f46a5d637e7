import { beforeAll, describe, expect, it } from 'vitest'
import { type Replayed, replay } from '../../bench/detector/replay.ts'
import { type Score, scoreOfBaseline, scoreOfDetector } from '../../bench/detector/score.ts'
import { CORPUS, FIRST_UNKNOWN_SEED } from '../../bench/detector.ts'

describe('the detector in the replay of days with many incidents', () => {
  let replayed: Replayed
  let ours: Score
  beforeAll(() => {
    replayed = replay({ seed: FIRST_UNKNOWN_SEED, ...CORPUS })
    ours = scoreOfDetector(replayed)
    // Much to compute, and other tests beside it.
  }, 900_000)

  it('meets a hundred incidents of all kinds, several at a time', () => {
    expect(replayed.incidents.length).toBeGreaterThanOrEqual(100)
    expect(ours.kinds.every(({ incidents }) => incidents === CORPUS.each)).toBe(true)
  })

  it('finds 19 of 20, half of them within 20 minutes and nine of ten within 90', () => {
    expect(ours.recall).toBeGreaterThanOrEqual(0.95)
    expect(ours.medianMinutes).toBeLessThanOrEqual(20)
    expect(ours.p90Minutes).toBeLessThanOrEqual(90)
  })

  it('hardly ever opens a card for nothing, and seldom two for one incident', () => {
    expect(ours.precision).toBeGreaterThanOrEqual(0.95)
    expect(ours.episodesPerIncident).toBeLessThanOrEqual(1.4)
  })

  it.each(['Banned', 'Degraded'])('finds more than the ratio rule %s with far fewer alarms', (name) => {
    const theirs = scoreOfBaseline(replayed, replayed.baselines[name]!)
    expect(ours.recall).toBeGreaterThan(theirs.recall)
    expect(ours.episodes).toBeLessThan(theirs.episodes / 5)
  })
})
