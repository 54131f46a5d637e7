import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { registerCvmfsDoor } from '../../src/doors/cvmfs/index.ts'
import { registerKumiDoor } from '../../src/doors/kumi/index.ts'
import { registerPilotRoutes } from '../../src/doors/kumi/pilots.ts'
import { createHttp, type Http } from '../../src/http/index.ts'
import type { Identity } from '../../src/identity/index.ts'
import { silentLogger, systemClock, type Wakeups } from '../../src/kernel/index.ts'
import { readPilotConfig } from '../../src/pilot/config.ts'
import { startPilot } from '../../src/pilot/pilot.ts'
import { tidy } from '../../src/pilot/software.ts'
import { addPilots } from '../../src/workload/index.ts'
import { testDatabase } from '../harness/database.ts'
import { testIdentity } from '../harness/identity.ts'
import { jobDoorDeps, rawDoorDeps } from '../harness/job-door.ts'
import { REPOSITORY, type SoftwareWorld, softwareWorld } from '../harness/software-world.ts'

const ADDRESS = 'https://localhost:7443'
const DAY = 86_400_000
const wakeups: Wakeups = { on: () => () => undefined, close: async () => undefined }

/** What the routes of jobs answer, as far as it is looked at here. */
interface Answer {
  readonly message?: string
  readonly jobs: readonly number[]
  readonly job: { readonly status: string; readonly minor: string; readonly application: string }
  readonly software: unknown
  readonly text: string
}

describe('a job with a release', () => {
  const database = testDatabase()
  const home = mkdtempSync(join(tmpdir(), 'kumi-job-software-'))
  const shelf = join(home, 'shelf')
  let world: SoftwareWorld
  let http: Http
  let url: string
  let identity: Identity
  let token: string

  beforeAll(async () => {
    const { db } = database
    world = softwareWorld(database)
    await world.begin()
    identity = await testIdentity(database, systemClock)
    const [mika] = await identity.createAccounts([{ vo: 'demo', name: 'mika' }])
    token = (await identity.mintForAccount(mika!.id)).token
    http = createHttp({ identity, audience: [ADDRESS], log: silentLogger, clock: systemClock, port: 0 })
    const jobs = { ...jobDoorDeps(db, identity), software: world.software }
    registerPilotRoutes(http.app, jobs)
    registerCvmfsDoor(http.app, { software: world.software, vo: 'demo', places: async () => [] })
    await registerKumiDoor(http.app, {
      ...{
        raw: rawDoorDeps(db),
        db,
        identity,
        wakeups,
        jobs,
        software: world.software,
        clock: systemClock,
        vo: 'demo',
      },
      ...{ version: '0.0.0', issuerBase: `${ADDRESS}/iam`, consoleDirectory: '/nowhere' },
    })
    url = (await http.listen()).url
  })
  afterAll(async () => {
    await http?.close()
    await world?.close()
    rmSync(home, { recursive: true, force: true })
  })

  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${url}/kumi/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { status: answer.status, json: (await answer.json()) as Answer }
  }
  const publish = async (says: string, tag: string) => {
    const directory = mkdtempSync(join(home, 'release-'))
    mkdirSync(join(directory, 'bin'))
    writeFileSync(join(directory, 'bin/reco'), `#!/bin/sh\necho ${says} $KUMI_SOFTWARE_ROOT_HASH\n`)
    chmodSync(join(directory, 'bin/reco'), 0o755)
    chmodSync(directory, 0o755)
    return world.publish(directory, '/rel', { tag })
  }
  const submit = async (software: string): Promise<number> => {
    const job = { executable: '/bin/sh', arguments: ['-c', 'exec "$KUMI_SOFTWARE/rel/bin/reco"'], software }
    const { status, json } = await call('POST', '/jobs', job)
    expect([status, json.message]).toEqual([200, undefined])
    return json.jobs[0]!
  }
  const show = async (id: number) => (await call('GET', `/jobs/${id}`)).json

  test('runs with the tree that the name meant when it was submitted, and says so for ever', async () => {
    const first = await publish('one', 'v1')
    const [newest, tagged, byHash] = [
      await submit(REPOSITORY),
      await submit(`${REPOSITORY}@v1`),
      await submit(`${REPOSITORY}@${first.rootHash}`),
    ]
    const second = await publish('two', 'v2')
    const later = await submit(REPOSITORY)
    await runPilot('first')
    for (const [id, text, root] of [
      [newest, 'one', first.rootHash],
      [tagged, 'one', first.rootHash],
      [byHash, 'one', first.rootHash],
      [later, 'two', second.rootHash],
    ] as const) {
      const { job, software } = await show(id)
      expect([job.status, job.application]).toEqual(['Done', 'exit code 0'])
      expect(software).toMatchObject({ repository: REPOSITORY, root })
      expect((await call('GET', `/jobs/${id}/log`)).json.text).toBe(`${text} ${root}\n`)
    }
    expect((await call('POST', '/jobs', { executable: 'x', software: `${REPOSITORY}@v3` })).status).toBe(404)
    expect((await call('POST', '/jobs', { executable: 'x', software: 'none.example.org' })).status).toBe(404)
  })

  test('names programs of its release by their path, and finds Node.js for those in JavaScript', async () => {
    const named = { executable: `/cvmfs/${REPOSITORY}/rel/bin/reco`, software: `${REPOSITORY}@v1` }
    const node = { executable: '/bin/sh', arguments: ['-c', '"$KUMI_NODE" -p 6*7'] }
    const [direct, script] = await Promise.all(
      [named, node].map(async (job) => (await call('POST', '/jobs', job)).json.jobs[0]!),
    )
    await runPilot('named')
    const text = async (id: number | undefined) => (await call('GET', `/jobs/${id}/log`)).json.text
    expect(await text(direct)).toMatch(/^one [0-9a-f]{40}/)
    expect(await text(script)).toBe('42\n')
  })

  test('needs nobody to fetch again what the place has, and fails when there is no such tree any more', async () => {
    const trees = readdirSync(join(shelf, 'trees', REPOSITORY)).sort()
    expect(trees).toHaveLength(2)
    const gone = await publish('gone', 'v3')
    const lost = await submit(`${REPOSITORY}@${gone.rootHash}`)
    await publish('stays', 'v4')
    await world.software.removeTag(REPOSITORY, 'demo', { name: 'v3', account: 'mika' })
    await world.software.collect(REPOSITORY, 'demo', { keep: 1, account: 'mika' })
    const again = await submit(`${REPOSITORY}@v1`)
    await runPilot('second')
    expect((await show(lost)).job).toMatchObject({ status: 'Failed', minor: 'Software Not Available' })
    expect((await show(again)).job.status).toBe('Done')
    expect(readdirSync(join(shelf, 'trees', REPOSITORY)).sort()).toEqual(trees)
  })

  test('comes from a cache nearby, and from the server when that is away or gives something else', async () => {
    const asked: string[] = []
    let answer: (path: string) => Promise<Buffer | undefined> = (path) =>
      world.fetch(path.slice(`/cvmfs/${REPOSITORY}/`.length))
    const cache = createServer((request, response) => {
      asked.push(request.url!)
      answer(request.url!).then(
        (bytes) => response.writeHead(bytes ? 200 : 404).end(bytes),
        () => response.writeHead(502).end(),
      )
    }).listen(0, '127.0.0.1')
    await once(cache, 'listening')
    const softwareServers = [`http://127.0.0.1:${(cache.address() as AddressInfo).port}`]
    const run = async (tag: string) => {
      await publish(tag, tag)
      const job = await submit(`${REPOSITORY}@${tag}`)
      await runPilot(tag, { softwareServers })
      expect((await show(job)).job).toMatchObject({ status: 'Done', application: 'exit code 0' })
    }
    await run('near')
    expect(asked.filter((path) => path.includes('/data/')).length).toBeGreaterThan(2)
    answer = async (path) => Buffer.from(`something else for ${path}`)
    await run('wrong')
    asked.length = 0
    answer = async () => {
      throw new Error('away')
    }
    await run('away')
    expect(asked).toHaveLength(1)
    cache.close()
    cache.closeAllConnections()
    await run('gone')
  })

  test('leaves what no job used for long to go', () => {
    const [old, kept] = readdirSync(join(shelf, 'trees', REPOSITORY)) as [string, string]
    const at = (root: string) => join(shelf, 'trees', REPOSITORY, root)
    const long = new Date(Date.now() - 31 * DAY)
    utimesSync(join(at(old), '.kumi-software.json'), long, long)
    const files = () => readdirSync(join(shelf, 'files'), { recursive: true }).length
    const before = files()
    tidy(shelf, Date.now())
    expect([existsSync(at(old)), existsSync(at(kept)), files()]).toEqual([false, true, before])
    tidy(shelf, Date.now() + 2 * DAY)
    expect(existsSync(at(kept))).toBe(true)
    expect(files()).toBe(before - 1)
  })

  /** A pilot of this machine, until there is no work for it. */
  async function runPilot(stamp: string, more: object = {}): Promise<void> {
    const facts = {
      stamp,
      vo: 'demo',
      site: 'kek',
      resource: 'here',
      state: 'Submitted',
      reference: null,
      gridType: 'DIRAC',
    }
    await addPilots(database.db, new Date(), [facts])
    const name = `pilots-${stamp}`
    const [pilots] = await identity.createAccounts([{ vo: 'demo', name, kind: 'SERVICE' }])
    await identity.setAttributes(pilots!.id, { pilots: 'true' })
    const { token: own } = await identity.mint({
      ...{ vo: 'demo', accountId: pilots!.id, audience: [ADDRESS], lifetimeSeconds: 3600 },
      scopes: [`grid.workload.pilot:/${stamp}`],
    })
    const file = join(home, `${stamp}.json`)
    const place = { directory: join(home, stamp), softwareDirectory: shelf, idleSeconds: 1 }
    const room = { cores: 2, memoryMb: 8192, seconds: 200_000 }
    writeFileSync(file, JSON.stringify({ server: url, stamp, token: own, ...place, ...room, ...more }))
    chmodSync(home, 0o755)
    const pilot = startPilot(readPilotConfig(file), { clock: systemClock, log: silentLogger })
    expect(await pilot.ended).toBe('there was no work for it')
  }
})
