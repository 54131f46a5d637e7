import { describe, expect, it } from 'vitest'
import { detect, emptyMemory, type JobFact, type Picture, type Trend } from './index.ts'

const NOW = new Date('2026-03-02T12:00:00Z')
const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000
const ago = (ms: number) => new Date(NOW.getTime() - ms)

const told = (picture: Omit<Picture, 'bins'>, now = NOW, memory = emptyMemory) =>
  detect(memory, now, { bins: [], ...picture }).findings.map(
    ({ rule, code, severity, entity }) => `${rule} ${code} (${severity}): ${entity.kind} ${entity.name}`,
  )

const resource = {
  ...{ resource: 'kek-slurm', site: 'kek', waiting: 0, running: 40, oldestWaitingSince: null },
  ...{ usualWaitMs: HOUR, freeSlots: 10, demand: 500, submissions: [], ended: 0, empty: 0 },
}

describe('pilots', () => {
  const failing = (spanMs: number) => [4, 3, 2, 1, 0].map((i) => ({ at: ago((spanMs * i) / 4), ok: false }))

  it('that cannot be submitted again and again for ten minutes are a fault of the place', () => {
    const toldOf = (submissions: readonly { at: Date; ok: boolean }[]) =>
      told({ resources: [{ ...resource, submissions }] })
    const fault = ['R03 submissions fail (error): resource kek-slurm']
    expect(toldOf(failing(20 * MINUTE))).toEqual(fault)
    // Three at once, then one after each pause.
    expect(toldOf([15, 15, 15, 14, 12, 8, 0].map((m) => ({ at: ago(m * MINUTE), ok: false })))).toEqual(fault)
    expect(toldOf(failing(5 * MINUTE))).toEqual([])
    expect(toldOf([...failing(HOUR).slice(1), { at: NOW, ok: true }])).toEqual([])
    const some = (every: number) =>
      Array.from({ length: 20 }, (_, i) => ({ at: ago((19 - i) * MINUTE), ok: (19 - i) % every !== 0 }))
    expect(toldOf(some(2))).toEqual(fault)
    expect(toldOf(some(8))).toEqual([])
  })

  it('that wait longer than three times the usual are told of where there is room', () => {
    const waits = (hours: number, more = {}) =>
      told({ resources: [{ ...resource, waiting: 3, oldestWaitingSince: ago(hours * HOUR), ...more }] })
    expect(waits(7)).toEqual(['R04 pilots wait (warn): resource kek-slurm'])
    expect(waits(5)).toEqual([])
    expect(waits(7, { usualWaitMs: 3 * HOUR })).toEqual([])
    expect(waits(7, { freeSlots: 0 })).toEqual([])
  })

  it('of which hardly any runs are told of after an hour', () => {
    const picture = { bins: [], resources: [{ ...resource, waiting: 30, running: 1 }] }
    let { memory, findings } = detect(emptyMemory, ago(HOUR), picture)
    expect(findings).toEqual([])
    for (const minutes of [40, 20, 0]) ({ memory, findings } = detect(memory, ago(minutes * MINUTE), picture))
    expect(findings).toMatchObject([{ rule: 'R04', code: 'nothing runs', since: ago(HOUR) }])
  })

  it('that come back empty while jobs wait are told of', () => {
    expect(told({ resources: [{ ...resource, ended: 20, empty: 18 }] })).toEqual([
      'R05 pilots are empty (error): resource kek-slurm',
    ])
    expect(told({ resources: [{ ...resource, ended: 20, empty: 18, demand: 0 }] })).toEqual([])
    expect(told({ resources: [{ ...resource, ended: 4, empty: 4 }] })).toEqual([])
  })

  it('that are far fewer than at this hour of other weeks are told of, unless nothing waits', () => {
    const trend: Trend = {
      ...{ entity: { kind: 'site', name: 'kek' }, what: 'running pilots', demand: 100 },
      ...{ last: [20, 18, 19, 15, 12, 10], usual: [100, 104, 96, 110, 98, 101] },
    }
    expect(told({ trends: [trend] })).toEqual(['R06 fewer pilots (warn): site kek'])
    expect(told({ trends: [{ ...trend, demand: 0 }] })).toEqual([])
    expect(told({ trends: [{ ...trend, last: [20, 18, 19, 15, 12, 80] }] })).toEqual([])
    expect(told({ trends: [{ ...trend, what: 'failed jobs', last: [5, 5, 5, 200, 210, 220] }] })).toEqual([
      'R07 more failures (warn): site kek',
    ])
  })
})

describe('jobs', () => {
  it('that stay in a state beyond its limit are told of', () => {
    const stuck = { state: 'Matched', site: 'kek', n: 3, oldestSince: ago(3 * HOUR), limitMs: 2 * HOUR }
    expect(told({ stuckJobs: [stuck] })).toEqual(['R09 stuck in Matched (warn): site kek'])
    expect(told({ stuckJobs: [{ ...stuck, oldestSince: ago(HOUR) }] })).toEqual([])
  })

  it('that a node eats quickly and spoils are a black hole', () => {
    const node = {
      ...{ site: 'kek', node: 'kek/wn7', n: 60, failed: 58, perHour: 60, usualPerHour: 4 },
      ...{ medianWallMs: MINUTE, usualWallMs: 3 * HOUR },
    }
    expect(told({ consumption: [node] })).toEqual(['R10 black hole (critical): node kek/wn7'])
    expect(told({ consumption: [{ ...node, failed: 5 }] })).toEqual([])
    expect(told({ consumption: [{ ...node, perHour: 8 }] })).toEqual([])
    expect(told({ consumption: [{ ...node, medianWallMs: HOUR }] })).toEqual([])
  })

  it('of one user that fail at three sites concern the user', () => {
    const user = { user: 'mia', n: 40, failed: 36, sites: 3, waiting: 0, fairShare: 10 }
    expect(told({ users: [user] })).toEqual(['R11 jobs of a user fail (warn): user mia'])
    expect(told({ users: [{ ...user, sites: 2 }] })).toEqual([])
    expect(told({ users: [{ ...user, failed: 10, waiting: 201 }] })).toEqual([
      'R11 a user waits with many (info): user mia',
    ])
  })

  it('of one user are of no concern when the last hour was well, else after two hours', () => {
    const user = { user: 'mia', n: 40, failed: 36, sites: 3, waiting: 0, fairShare: 10 }
    const rulesAt = (failed: number) => {
      const jobs = [{ attributes: { user: 'mia', site: 'kek' }, n: 6, failed }]
      let { memory, findings } = detect(emptyMemory, ago(2 * HOUR), { bins: [], users: [user], jobs })
      expect(findings).toEqual([])
      for (let minutes = 100; minutes >= 0; minutes -= 20)
        ({ memory, findings } = detect(memory, ago(minutes * MINUTE), { bins: [], users: [user], jobs }))
      return findings.map(({ rule }) => rule)
    }
    expect(rulesAt(5)).toEqual(['R11'])
    expect(rulesAt(1)).toEqual([])
  })
})

describe('some machines of a site', () => {
  const HOSTS = Array.from({ length: 10 }, (_, i) => `kek/wn${i}`)
  /** Five jobs of an hour on each machine. */
  const jobs = (failed: (host: number, i: number) => boolean, owner = (i: number) => `p${i}`): JobFact[] =>
    HOSTS.flatMap((node, host) =>
      [0, 1, 2, 3, 4].map((i) => ({
        attributes: { site: 'kek', node, production: owner(i) },
        ...{ start: ago((50 - 10 * i) * MINUTE), n: 1, failed: failed(host, i) ? 1 : 0 },
      })),
    )
  const machines = (facts: readonly JobFact[]) => told({ jobs: facts }).filter((one) => one.startsWith('R10'))

  it('are told of when all fails on them, few as their jobs are', () => {
    expect(machines(jobs((host) => host < 4))).toEqual(
      [0, 1, 2, 3].map((i) => `R10 machine fails (error): node kek/wn${i}`),
    )
  })
  it('are not ill when as much fails on the others, at one moment, or of one owner', () => {
    expect(machines(jobs((host, i) => (host + i) % 3 === 0))).toEqual([])
    expect(machines(jobs((_, i) => i === 1))).toEqual([])
    expect(
      machines(
        jobs(
          (host) => host < 4,
          () => 'mine',
        ),
      ),
    ).toEqual([])
  })
})

describe('a step of a production', () => {
  const step = {
    ...{ transformation: 'mc16/reco', production: 'mc16', done: 100, failed: 3, waiting: 50, held: false },
    ...{ startedAt: ago(DAY), lastDoneAt: ago(HOUR), usualJobMs: 2 * HOUR, donePerDay: 100, remaining: 500 },
  }
  it('whose tasks fail is told of from the eighth failure on', () => {
    expect(told({ transformations: [step] })).toEqual([])
    expect(told({ transformations: [{ ...step, done: 0, failed: 8 }] })).toEqual([
      'R17 a step fails (error): transformation mc16/reco',
    ])
    expect(told({ transformations: [{ ...step, done: 0, failed: 7 }] })).toEqual([])
  })
  it('that does not get on, or never ends at its pace, is told of unless it is held', () => {
    expect(told({ transformations: [{ ...step, lastDoneAt: ago(11 * HOUR) }] })).toEqual([
      'R18 no progress (warn): transformation mc16/reco',
    ])
    expect(told({ transformations: [{ ...step, lastDoneAt: ago(11 * HOUR), held: true }] })).toEqual([])
    expect(told({ transformations: [{ ...step, remaining: 40_000 }] })).toEqual([
      'R18 never ends (warn): transformation mc16/reco',
    ])
  })
})

describe('raw data', () => {
  const file = {
    ...{ name: 'run-42.f7', run: '42', availableCopies: 2, failedAttempts: 0, failedSites: 0 },
    ...{ registeredAt: ago(HOUR), processed: false, consistent: true },
  }
  it('that cannot be processed, has no copy or waits for a day is told of', () => {
    const codes = (more: Partial<typeof file>) => told({ rawInputs: [{ ...file, ...more }] })
    expect(codes({})).toEqual([])
    expect(codes({ availableCopies: 0 })).toEqual(['R15 raw file without a copy (critical): file run-42.f7'])
    expect(codes({ consistent: false })).toEqual(['R15 raw file differs (critical): file run-42.f7'])
    expect(codes({ failedAttempts: 3, failedSites: 2 })).toEqual([
      'R15 raw file fails (critical): file run-42.f7',
    ])
    expect(codes({ failedAttempts: 3, failedSites: 1 })).toEqual([])
    expect(codes({ registeredAt: ago(25 * HOUR) })).toEqual([
      'R15 raw file is late (critical): file run-42.f7',
    ])
    expect(codes({ registeredAt: ago(25 * HOUR), processed: true })).toEqual([])
  })
  it('are one trouble of their run, or of all, when they are many', () => {
    const files = (runs: number) =>
      Array.from({ length: 12 }, (_, i) => ({
        ...file,
        name: `f${i + 10}`,
        run: `26/${i % runs}`,
        availableCopies: 0,
      }))
    expect(told({ rawInputs: files(1) })).toEqual([
      'R15 raw file without a copy (critical): central raw data of run 26/0',
    ])
    expect(told({ rawInputs: files(3) })).toHaveLength(3)
    expect(told({ rawInputs: files(12) })).toEqual([
      'R15 raw file without a copy (critical): central raw data',
    ])
  })
  it('later than promised is told of by stage', () => {
    const late = (stage: 'registered' | 'second copy' | 'processed', hours: number) =>
      told({ rawLatencies: [{ stage, p95Ms: hours * HOUR, n: 9 }] })
    expect(late('registered', 2)).toEqual(['R16 raw data late (error): central raw data: registered'])
    expect(late('second copy', 23)).toEqual([])
    expect(late('processed', 73)).toHaveLength(1)
  })
})

describe('a storage', () => {
  const fill = (usedPercent: number, yesterdayPercent: number, more = {}) =>
    told({
      storages: [
        {
          ...{
            storage: 'KEK-DISK',
            site: 'kek',
            usedBytes: usedPercent,
            totalBytes: 100,
            catalogueBytes: null,
          },
          history: [
            { at: ago(2 * DAY), usedBytes: 2 * yesterdayPercent - usedPercent },
            { at: ago(DAY), usedBytes: yesterdayPercent },
          ],
          ...more,
        },
      ],
    })
  it('is full, nearly full, or full soon at its pace', () => {
    expect(fill(50, 50)).toEqual([])
    expect(fill(96, 96)).toEqual(['R13 storage full (error): storage KEK-DISK'])
    expect(fill(92, 92)).toEqual(['R13 storage nearly full (warn): storage KEK-DISK'])
    expect(fill(80, 70)).toEqual(['R13 storage full soon (error): storage KEK-DISK'])
    expect(fill(80, 78)).toEqual(['R13 storage full soon (warn): storage KEK-DISK'])
  })
  it('that holds another amount than the catalogue says is told of', () => {
    expect(fill(50, 50, { catalogueBytes: 47 })).toEqual([
      'R13 storage and catalogue differ (warn): storage KEK-DISK',
    ])
    expect(fill(50, 50, { catalogueBytes: 49 })).toEqual([])
  })
  it('with many doubtful copies is doubtful itself', () => {
    const copies = (n: number, reports = 5) =>
      told({ suspicious: Array.from({ length: n }, (_, i) => ({ storage: 'S', file: `f${i}`, reports })) })
    expect(copies(3, 4)).toEqual([])
    expect(copies(3)).toEqual(['R23 copies are suspicious (warn): storage S'])
    expect(copies(6)).toEqual(['R23 storage is suspicious (error): storage S'])
  })
})

describe('a link', () => {
  const link = {
    ...{ source: 'A', destination: 'B', attempts: 40, failed: 2 },
    failedAt: { source: 0, destination: 0, transfer: 2 },
    full: { bytesPerSecond: 90e6, usualBytesPerSecond: 100e6 },
  }
  it('that fails, or is slow when it is full, is told of', () => {
    expect(told({ links: [link] })).toEqual([])
    expect(told({ links: [{ ...link, failed: 20 }] })).toEqual(['R19 link fails (warn): link A → B'])
    expect(told({ links: [{ ...link, failed: 10, attempts: 19 }] })).toEqual([])
    const full = { bytesPerSecond: 40e6, usualBytesPerSecond: 100e6 }
    expect(told({ links: [{ ...link, full }] })).toEqual(['R19 link is slow (warn): link A → B'])
    expect(told({ links: [{ ...link, full: null }] })).toEqual([])
  })
  it('of a storage whose site is in downtime is silent', () => {
    const storages = [
      { storage: 'B', site: 'kek', usedBytes: 1, totalBytes: 100, catalogueBytes: null, history: [] },
    ]
    const entity = { kind: 'site', name: 'kek' } as const
    const downtimes = [{ entity, severity: 'outage', from: ago(HOUR), to: ago(-HOUR) }] as const
    expect(told({ links: [{ ...link, failed: 40 }], storages, downtimes })).toEqual([
      'R01 downtime: outage (info): site kek',
    ])
  })
})

describe('what everybody depends on', () => {
  it('is late, long, old, off, or ends soon', () => {
    const database = {
      ...{ oldestTransactionMs: 11 * MINUTE, connections: 81, maxConnections: 100 },
      replicationLagMs: 2 * MINUTE,
    }
    expect(
      told({ central: { database } }).map((text) => text.slice(0, -' (warn): central database'.length))
        .length,
    ).toBe(3)
    expect(
      told({
        central: {
          workers: [{ name: 'matcher', lastSuccess: ago(4 * MINUTE), periodMs: MINUTE }],
          queues: [{ name: 'transfers', backlog: 310, perMinute: 10 }],
          clocks: [{ site: 'kek', offsetMs: -1_500 }],
          expiries: [{ name: 'host certificate', at: ago(-DAY) }],
          disks: [{ name: 'database', freeBytes: 9, totalBytes: 100 }],
        },
      }).sort(),
    ).toEqual([
      'R12 clock is off (warn): site kek',
      'R12 disk is full (error): central database',
      'R12 expires soon (critical): central host certificate',
      'R12 queue is long (warn): central transfers',
      'R12 worker is late (error): central matcher',
    ])
  })
  it('is silent when all goes on', () => {
    expect(
      told({
        central: {
          workers: [{ name: 'matcher', lastSuccess: ago(2 * MINUTE), periodMs: MINUTE }],
          queues: [{ name: 'transfers', backlog: 90, perMinute: 0 }],
          clocks: [{ site: 'kek', offsetMs: 200 }],
          expiries: [{ name: 'host certificate', at: ago(-15 * DAY) }],
          disks: [{ name: 'database', freeBytes: 11, totalBytes: 100 }],
        },
        gateways: [
          { site: 'kek', lastSeen: ago(9 * MINUTE) },
          { site: 'new', lastSeen: null },
        ],
      }),
    ).toEqual([])
  })
  it('includes gateways: ten minutes of silence are told of', () => {
    expect(told({ gateways: [{ site: 'kek', lastSeen: ago(10 * MINUTE) }] })).toEqual([
      'R14 gateway is silent (error): site kek',
    ])
  })
  it('includes rules and deletions that do not get on', () => {
    const rules = {
      ...{
        stuckWithoutSource: 2,
        stuckOtherwise: 1,
        expired: 3,
        unevaluated: 4,
        unevaluatedSince: ago(HOUR),
      },
      lateDeletions: 5,
    }
    expect(told({ rules })).toHaveLength(5)
    const none = { stuckWithoutSource: 0, stuckOtherwise: 0, expired: 0, lateDeletions: 0 }
    expect(told({ rules: { ...none, unevaluated: 4, unevaluatedSince: ago(MINUTE) } })).toEqual([])
  })
})
