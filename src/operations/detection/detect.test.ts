import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BIN_MS,
  type Bin,
  type Detection,
  detect,
  emptyMemory,
  type JobFact,
  type Memory,
  type Picture,
} from './index.ts'

const T0 = Date.parse('2026-03-02T00:00:00Z')
const at = (bin: number) => new Date(T0 + bin * BIN_MS)
const osaka = { kind: 'site', name: 'osaka' } as const

const bin =
  (n: number, failed: number, more: Partial<Bin> = {}) =>
  (start: Date): Bin => ({
    ...{ entity: osaka, measure: 'jobs', start, n, failed },
    ...more,
  })

/** One bin after the other, each looked at when it closed. */
function watch(
  bins: readonly (readonly ((start: Date) => Bin)[])[],
  picture: Omit<Picture, 'bins'> = {},
  memory: Memory = emptyMemory,
  from = 0,
): Detection[] {
  let known = memory
  return bins.map((some, i) => {
    const seen = detect(known, at(from + i + 1), { ...picture, bins: some.map((one) => one(at(from + i))) })
    known = seen.memory
    return seen
  })
}

const rules = ({ findings }: Detection) => findings.map(({ rule, code }) => `${rule} ${code}`)
const repeat = <T>(n: number, one: T): T[] => Array.from({ length: n }, () => one)

describe('the evidence against a site', () => {
  it('is enough after two bad bins, not after one', () => {
    const seen = watch([...repeat(20, [bin(20, 1)]), [bin(20, 20)], [bin(20, 20)]])
    expect(seen.slice(0, 21).flatMap(rules)).toEqual([])
    expect(seen[21]!.findings).toMatchObject([
      { rule: 'R08', entity: osaka, severity: 'error', since: at(22), facts: { lastPercent: 100 } },
    ])
  })

  it('keeps its alarm through good minutes and gives it up after half an hour without evidence', () => {
    const seen = watch([...repeat(3, [bin(20, 20)]), ...repeat(6, [bin(200, 2)])])
    expect(seen.map((one) => one.findings.length)).toEqual([0, 1, 1, 1, 1, 1, 0, 0, 0])
  })

  it('does not learn that failing is usual while there is an alarm', () => {
    const before = watch(repeat(50, [bin(20, 1)])).at(-1)!.memory
    const after = watch(repeat(50, [bin(20, 18)]), {}, before, 50).at(-1)!.memory
    expect(after.entities['site osaka']!.baseline).toBeLessThan(0.15)
  })

  it('judges a small site by its tests and few jobs together', () => {
    const tests = bin(2, 2, { measure: 'tests' })
    const seen = watch([[tests], [bin(1, 1)], [bin(1, 1)], [tests], [bin(1, 1)], [], [tests]])
    expect(seen.findIndex((one) => one.findings.length > 0)).toBeLessThan(5)
  })

  it('is not raised by single tests that failed twice by chance', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 100, maxLength: 300 }), (draws) => {
        const seen = watch(draws.map((draw) => [bin(1, draw < 3 && draw > 0 ? 1 : 0, { measure: 'tests' })]))
        // Two of them soon after each other are no chance; fast-check likes to draw them.
        fc.pre(!/1[01]{0,9}1/.test(draws.map((d) => (d < 3 && d > 0 ? 1 : 0)).join('')))
        expect(seen.flatMap(rules)).toEqual([])
      }),
    )
  })

  it('of a place that gets no work any more is weakened by good tests', () => {
    const good = [bin(2, 0, { measure: 'tests' })]
    const seen = watch([...repeat(3, [bin(20, 20)]), ...repeat(12, good)])
    expect(seen[3]!.findings).toHaveLength(1)
    expect(seen.at(-1)!.findings).toEqual([])
  })

  it('counts a bin once, however often it is given', () => {
    const bins = [bin(20, 20)(at(0))]
    const first = detect(emptyMemory, at(1), { bins })
    const again = detect(first.memory, at(1), { bins })
    expect(again.memory.entities).toEqual(first.memory.entities)
    expect(detect(again.memory, at(2), { bins }).findings).toEqual([])
  })

  it('waits for a bin to be over', () => {
    const { memory } = detect(emptyMemory, new Date(at(1).getTime() - 1), { bins: [bin(20, 20)(at(0))] })
    expect(memory.entities).toEqual({})
  })
})

describe('the evidence beside a cause elsewhere', () => {
  const SITES = ['osaka', 'kek', 's3', 's4', 's5', 's6']
  /** Jobs of ten minutes at six sites, of nine productions and two releases, and what the bins say of them. */
  const work = (
    i: number,
    fails: (site: string, production: number) => number,
  ): Pick<Picture, 'bins' | 'jobs'> => {
    const jobs = SITES.flatMap((site) =>
      Array.from({ length: 9 }, (_, p): JobFact => {
        const attributes = { site, production: `p${p}`, release: `r${p % 2}` }
        return { attributes, start: at(i), n: 4, failed: Math.round(4 * fails(site, p)) }
      }),
    )
    const bins = SITES.map((site): Bin => {
      const own = jobs.filter(({ attributes }) => attributes.site === site)
      const failed = own.reduce((sum, one) => sum + one.failed, 0)
      return bin(36, failed, { entity: { kind: 'site', name: site } })(at(i))
    })
    return { bins, jobs }
  }
  const days = (n: number, fails: (site: string, production: number, i: number) => number): Detection[] => {
    let memory = emptyMemory
    const past: JobFact[][] = []
    return Array.from({ length: n }, (_, i) => {
      const { bins, jobs = [] } = work(i, (site, production) => fails(site, production, i))
      past.push([...jobs])
      const seen = detect(memory, at(i + 1), { bins, jobs: past.slice(-6).flat() })
      memory = seen.memory
      return seen
    })
  }

  it('is of no site while a release fails, and no site learns that failing is usual', () => {
    const last = days(40, (_, production) => (production % 2 === 1 ? 1 : 0)).at(-1)!
    expect(rules(last)).toEqual(['R20 cause of failures'])
    for (const { baseline, since } of Object.values(last.memory.entities)) {
      expect(since).toBeNull()
      expect(baseline).toBeLessThan(0.07)
    }
  })

  it('is of a site that fails for itself beside the release', () => {
    const last = days(30, (site, p, i) => (p % 2 === 1 || (site === 'osaka' && i >= 20) ? 1 : 0)).at(-1)!
    expect(last.findings.map(({ rule, entity }) => `${rule} ${entity.name}`)).toContain('R08 osaka')
    expect(last.findings.map(({ entity }) => entity.name)).not.toContain('kek')
  })

  it('is of a site that fails more than all the others by something central', () => {
    const all = days(24, (site, _, i) => (i < 6 ? 0 : site === 'osaka' && i >= 14 ? 1 : 0.5))
    const told = all.at(-1)!.findings.map(({ rule, entity }) => `${rule} ${entity.name}`)
    expect(told).toContain('R20 everywhere')
    expect(told).toContain('R08 osaka')
    expect(told).not.toContain('R08 kek')
  })
})

describe('a cause', () => {
  it('is not named when it failed until half an hour ago and does well since', () => {
    const jobs = (fails: (i: number) => boolean): JobFact[] =>
      Array.from({ length: 6 }, (_, i) =>
        ['osaka', 'kek', 's3'].map((site): JobFact => {
          const bad = site === 'osaka' && fails(i)
          return { attributes: { site }, start: at(i), n: 20, failed: bad ? 18 : 0 }
        }),
      ).flat()
    const named = (fails: (i: number) => boolean) =>
      detect(emptyMemory, at(6), { bins: [], jobs: jobs(fails) }).causes.map(({ entity }) => entity.name)
    expect(named(() => true)).toEqual(['osaka'])
    expect(named((i) => i >= 3)).toEqual(['osaka'])
    expect(named((i) => i < 3)).toEqual([])
  })
})

describe('the evidence of transfers', () => {
  const storage = (name: string) => ({ kind: 'storage', name }) as const
  const link = { kind: 'link', name: 'A → B' } as const

  it('is of the worse of two ends', () => {
    const rows = (i: number): JobFact[] => [
      { attributes: { source: 'A', destination: 'B' }, start: at(i), n: 6, failed: 6 },
      { attributes: { source: 'A', destination: 'C' }, start: at(i), n: 6, failed: 6 },
      { attributes: { source: 'B', destination: 'C' }, start: at(i), n: 4, failed: 0 },
    ]
    const ends = [
      bin(12, 12, { entity: storage('A'), measure: 'transfers' }),
      bin(10, 6, { entity: storage('B'), measure: 'transfers' }),
      bin(10, 6, { entity: storage('C'), measure: 'transfers' }),
    ]
    let memory = emptyMemory
    for (let i = 0; i < 3; i++) {
      const seen = detect(memory, at(i + 1), { bins: ends.map((one) => one(at(i))), transfers: rows(i) })
      memory = seen.memory
      if (i === 2) expect(new Set(seen.findings.map(({ entity }) => entity.name))).toEqual(new Set(['A']))
    }
  })

  it('is no longer true of a link that nobody used for two hours', () => {
    const bad = [bin(5, 5, { entity: link, measure: 'transfers' })]
    const seen = watch([...repeat(3, bad), ...repeat(14, [])])
    expect(seen.slice(2, 14).every((one) => one.findings.length === 1)).toBe(true)
    expect(seen.at(-1)!.findings).toEqual([])
  })
})

describe('whatever is seen', () => {
  const counts = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 }))
  const measure = fc.constantFrom('jobs', 'pilots', 'tests', 'transfers')

  it('the memory is the same after it was written as JSON', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(measure, counts), { maxLength: 40 }), (all) => {
        const bins = all.map(([kind, [a, b]]) => [
          bin(Math.max(a, b), Math.min(a, b), { measure: kind as Bin['measure'] }),
        ])
        const half = bins.length >> 1
        const middle = watch(bins.slice(0, half)).at(-1)?.memory ?? emptyMemory
        const direct = watch(bins.slice(half), {}, middle, half)
        const written = watch(bins.slice(half), {}, JSON.parse(JSON.stringify(middle)) as Memory, half)
        expect(written).toEqual(direct)
      }),
    )
  })

  it('good work raises nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(measure, fc.integer({ min: 1, max: 5000 })), { maxLength: 60 }),
        (all) => {
          const seen = watch(all.map(([kind, n]) => [bin(n, 0, { measure: kind as Bin['measure'] })]))
          expect(seen.flatMap(rules)).toEqual([])
        },
      ),
    )
  })

  it('an empty picture says nothing', () => {
    expect(detect(emptyMemory, at(0), { bins: [] })).toEqual({
      memory: { ...emptyMemory, upTo: T0 },
      findings: [],
      causes: [],
    })
  })
})

describe('a declared downtime', () => {
  const storage = { kind: 'storage', name: 'OSAKA-DISK' } as const
  const bad = [bin(20, 20), bin(20, 20, { entity: storage, within: [osaka], measure: 'transfers' as const })]
  const downtime = { entity: osaka, severity: 'outage', from: at(0), to: at(6) } as const

  it('is told, and silences what is in it', () => {
    const seen = watch(repeat(5, bad), { downtimes: [downtime] })
    expect([...new Set(seen.flatMap(rules))]).toEqual(['R01 downtime: outage'])
  })

  it('is told twelve hours before it begins', () => {
    const { findings } = detect(emptyMemory, new Date(T0 - 5 * 3_600_000), {
      bins: [],
      downtimes: [downtime],
    })
    expect(findings).toMatchObject([{ code: 'downtime comes', facts: { hoursUntil: 5 } }])
  })

  it('leaves no evidence behind when it is over', () => {
    const seen = watch([...repeat(6, bad), [bin(20, 1)], [bin(20, 1)]], { downtimes: [downtime] })
    expect(seen.slice(-2).flatMap(rules)).toEqual([])
  })

  it('is missed after four hours of an alarm', () => {
    const seen = watch(repeat(30, [bin(20, 20)]))
    expect(rules(seen[20]!)).toEqual(['R08 jobs fail'])
    expect(rules(seen[29]!)).toEqual(['R08 jobs fail', 'R02 no downtime declared'])
  })
})

describe('a finding', () => {
  const late = (minutes: number): Picture => ({
    bins: [],
    central: { workers: [{ name: 'matcher', lastSuccess: new Date(T0), periodMs: 60_000 * minutes }] },
  })

  it('began when it was first seen, also when it paused for less than half an hour', () => {
    const first = detect(emptyMemory, at(2), late(1))
    const pause = detect(first.memory, at(3), late(100))
    const again = detect(pause.memory, at(4), late(1))
    expect(again.findings).toMatchObject([{ rule: 'R12', since: at(2) }])
    const gone = detect(detect(again.memory, at(6), late(100)).memory, at(9), late(1))
    expect(gone.findings).toMatchObject([{ since: at(9) }])
  })
})
