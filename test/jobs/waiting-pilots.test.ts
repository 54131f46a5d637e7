import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { registerPilotRoutes } from '../../src/doors/kumi/pilots.ts'
import { createHttp, type Http } from '../../src/http/index.ts'
import { type Clock, listen, silentLogger, systemClock, type Wakeups } from '../../src/kernel/index.ts'
import { pilotAccount, pilotsOf } from '../../src/workload/index.ts'
import { testDatabase } from '../harness/database.ts'
import { testIdentity } from '../harness/identity.ts'
import { jobDoorDeps } from '../harness/job-door.ts'
import { jobs, jobWorld, room, vo } from '../harness/job-world.ts'

const ADDRESS = 'https://localhost:7443'
/** Long naps end only by the signal: what is answered was woken, and nobody's patience ran out. */
const patient: Clock = {
  now: systemClock.now,
  sleep: async (ms, signal) => {
    if (ms <= 250 || !signal) await systemClock.sleep(ms, signal)
    else if (!signal.aborted) await once(signal, 'abort')
  },
}

const numbers = (list: readonly { jobId: number }[]) => list.map(({ jobId }) => BigInt(jobId))

describe('an idle pilot', () => {
  const database = testDatabase()
  const world = jobWorld(database)
  let wakeups: Wakeups
  let http: Http
  let url: string
  let mint: (stamp: string) => Promise<string>

  beforeAll(async () => {
    const identity = await testIdentity(database, systemClock)
    wakeups = await listen(database.pool, silentLogger)
    http = createHttp({ identity, audience: [ADDRESS], log: silentLogger, clock: systemClock, port: 0 })
    registerPilotRoutes(http.app, { ...jobDoorDeps(database.db, identity), clock: patient, wakeups })
    url = (await http.listen()).url
    const accountId = await pilotAccount(identity, vo)
    mint = async (stamp) => {
      const scopes = [`grid.workload.pilot:/${stamp}`]
      const asked = { vo, accountId, audience: [ADDRESS], lifetimeSeconds: 3600, scopes }
      return (await identity.mint(asked)).token
    }
  })
  afterAll(async () => {
    await http?.close()
    await wakeups?.close()
  })
  beforeEach(() => world.clear())

  const ask = async (stamp: string, wait: number, signal?: AbortSignal) => {
    const answer = await fetch(`${url}/kumi/v1/pilots/${stamp}/lease`, {
      ...{ method: 'POST', body: JSON.stringify({ free: room, most: 1, holding: [], wait }) },
      headers: { authorization: `Bearer ${await mint(stamp)}`, 'content-type': 'application/json' },
      ...(signal && { signal }),
    })
    return (await answer.json()) as { jobs: { jobId: number }[]; retryAfterMs: number; drain: boolean }
  }

  test('gets a job as soon as there is one', async () => {
    const stamp = await world.pilot()
    const asked = ask(stamp, 25)
    await waits(stamp)
    const [id] = await world.submit([jobs()])
    expect(numbers((await asked).jobs)).toEqual([id])
  })

  test('of many waits with the others, and each job goes to one', async () => {
    const stamps = await Promise.all(Array.from({ length: 12 }, () => world.pilot()))
    const leaving = new AbortController()
    const asked = stamps.map((stamp) => ask(stamp, 25, leaving.signal).catch(() => undefined))
    await Promise.all(stamps.map(waits))
    const ids = await world.submit([jobs({ count: 5 })])
    const given: bigint[] = []
    for (const one of asked) void one.then((lease) => given.push(...numbers(lease?.jobs ?? [])))
    while (given.length < ids.length) await systemClock.sleep(20)
    leaving.abort()
    await Promise.all(asked)
    expect(given.sort()).toEqual([...ids].sort())
  })

  test('that does not want to wait is told at once to ask later', async () => {
    expect(await ask(await world.pilot(), 0)).toMatchObject({ jobs: [], drain: false, retryAfterMs: 5000 })
  })

  /** Its first look is over. */
  async function waits(stamp: string): Promise<void> {
    const running = async () =>
      (await pilotsOf(database.db, vo, 100)).some((one) => one.stamp === stamp && one.state === 'Running')
    while (!(await running())) await systemClock.sleep(10)
  }
})
