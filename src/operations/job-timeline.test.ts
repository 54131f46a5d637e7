import { beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { at, completion, jobs, jobWorld, vo } from '../../test/harness/job-world.ts'
import { rows, sql } from '../kernel/index.ts'
import {
  completeStart,
  historyWorker,
  holdJobs,
  killJobs,
  ownPilot,
  rescheduleJobs,
} from '../workload/index.ts'
import { jobTimeline } from './index.ts'

const database = testDatabase()
const world = jobWorld(database)
beforeEach(() => world.clear())

const signal = new AbortController().signal
const note = async (...minutes: number[]) => {
  const worker = historyWorker(database.db)
  for (const minute of minutes) await worker.tick(at(60 * minute + 1), signal)
}
const order = (ids: bigint[]) => ({ vo, now: at(20), ids, source: 'mika' })
const seen = async (minute: number, hours = 1) =>
  (await jobTimeline(database.db, at(60 * minute + 30), vo, hours)).points.map((point) => ({
    ...point,
    at: (point.at.getTime() - at(0).getTime()) / 60_000,
  }))
const none = { Done: 0, Failed: 0, Killed: 0 }

describe('jobs over time', () => {
  test('are counted by state each minute, and what ended in between, whether counts were folded or not', async () => {
    const [first, second, third] = await world.submit([jobs({ count: 3 })])
    await note(1)
    const stamp = await world.pilot()
    const [job] = (await world.lease(stamp)).jobs
    await holdJobs(database.db, order([third!]))
    await note(2)
    const { id: pilotId } = await ownPilot(database.db, vo, stamp)
    const deps = { db: database.db, rses: world.rses, verifyArrivals: async () => undefined }
    await completeStart(deps, { vo, pilotId, now: at(130), completion: completion(job!) })
    await killJobs(database.db, order([first!, second!, third!].filter((id) => id !== job!.jobId)))
    await world.fold(at(150))
    await note(3)
    await rescheduleJobs(database.db, order([job!.jobId]))
    await world.fold(at(200))
    await note(4)
    expect(await seen(4)).toEqual([
      { at: 1, counts: { Waiting: 3 }, ended: none },
      { at: 2, counts: { Waiting: 1, Matched: 1, Held: 1 }, ended: none },
      { at: 3, counts: {}, ended: { Done: 1, Failed: 0, Killed: 2 } },
      // One that is run again did end before.
      { at: 4, counts: expect.any(Object), ended: none },
    ])
  })

  test('are seen in longer steps over longer times, with gaps where nobody counted', async () => {
    await world.submit([jobs()])
    await note(1, 2, 9, 25)
    // The present is always there.
    expect((await seen(30, 24)).map((point) => point.at)).toEqual([0, 20, 30])
    expect((await seen(30, 1)).map((point) => point.at)).toEqual([1, 2, 9, 25, 30])
    expect((await seen(30, 168)).map((point) => point.at)).toEqual([0])
    expect((await seen(200, 1)).map((point) => point.at)).toEqual([200])
  })

  test('are written down once a minute by however many servers, and kept more coarsely when they are old', async () => {
    await world.submit([jobs()])
    await Promise.all([note(1), note(1), note(1)])
    const kept = async () =>
      (await rows(database.db, sql<{ at: Date }>`select at from job_history order by at`)).map(
        (line) => (line.at.getTime() - at(0).getTime()) / 60_000,
      )
    expect(await kept()).toEqual([1])
    await note(2, 9, 11, 12)
    // Of the first two days only the last of ten minutes stay.
    await note(3 * 1440)
    expect(await kept()).toEqual([9, 12, 3 * 1440])
    await note(20 * 1440)
    expect(await kept()).toEqual([12, 3 * 1440, 20 * 1440])
  })
})
