// A repository that is gone, and another one of its name at the same address: what this machine keeps of the first must
// not be taken for the second.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { get } from '../../src/cli/software/get.ts'
import { publish } from '../../src/cli/software/publish.ts'
import { registerCvmfsDoor } from '../../src/doors/cvmfs/index.ts'
import { registerKumiDoor } from '../../src/doors/kumi/index.ts'
import { createHttp, type Http } from '../../src/http/index.ts'
import type { Identity } from '../../src/identity/index.ts'
import { silentLogger, sql, systemClock, type Wakeups } from '../../src/kernel/index.ts'
import { testDatabase } from '../harness/database.ts'
import { testIdentity } from '../harness/identity.ts'
import { jobDoorDeps, rawDoorDeps } from '../harness/job-door.ts'
import { REPOSITORY, type SoftwareWorld, softwareWorld } from '../harness/software-world.ts'

const ADDRESS = 'https://localhost:7443'
const wakeups: Wakeups = { on: () => () => undefined, close: async () => undefined }
const database = testDatabase()
const local = mkdtempSync(join(tmpdir(), 'kumi-anew-'))
let identity: Identity
let world: SoftwareWorld
let http: Http
let server: string

async function begin(port: number): Promise<void> {
  world = softwareWorld(database)
  await world.begin()
  const { db } = database
  http = createHttp({ identity, audience: [ADDRESS], log: silentLogger, clock: systemClock, port })
  registerCvmfsDoor(http.app, { software: world.software, vo: 'demo', places: async () => [] })
  await registerKumiDoor(http.app, {
    ...{ db, identity, wakeups, software: world.software, clock: systemClock, vo: 'demo' },
    ...{ jobs: jobDoorDeps(db, identity), raw: rawDoorDeps(db) },
    ...{ version: '0.0.0', issuerBase: `${ADDRESS}/iam`, consoleDirectory: '/nowhere' },
  })
  server = (await http.listen()).url
}

async function end(): Promise<void> {
  await http.close()
  await world.close()
}

/** As after `kumi down --purge` and `kumi up`: nothing is left, and the address is the same. */
async function purge(): Promise<void> {
  const { port } = new URL(server)
  await end()
  await sql`truncate software_repository cascade`.execute(database.db)
  await begin(Number(port))
}

beforeAll(async () => {
  identity = await testIdentity(database, systemClock)
  const [boss] = await identity.createAccounts([{ vo: 'demo', name: 'boss' }])
  await identity.setAttributes(boss!.id, { admin: 'true' })
  vi.stubEnv('BEARER_TOKEN', (await identity.mintForAccount(boss!.id)).token)
  vi.stubEnv('XDG_CACHE_HOME', join(local, 'cache'))
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  await begin(0)
})
afterAll(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await end()
  rmSync(local, { recursive: true, force: true })
})

const options = () => ({ server, home: join(local, 'home'), quiet: true, repo: REPOSITORY })
const publishAt = (directory: string, to: string) => publish(directory, { ...options(), to })
const contentAt = async (path: string) => (await world.contents())[path]

describe('of a repository that was made anew', () => {
  const release = join(local, 'release')
  beforeAll(() => {
    mkdirSync(release)
    writeFileSync(join(release, 'tool'), 'tool')
    // Long ago, so that it need not be read again.
    utimesSync(join(release, 'tool'), 1, 1)
  })

  test('nothing is thought to be there that was in the one before', async () => {
    await publishAt(release, '/08')
    await publishAt(release, '/08')
    expect(await contentAt('/08/tool')).toBe('tool')
    await purge()
    await publishAt(release, '/08')
    expect(await contentAt('/08/tool')).toBe('tool')
  })

  test('nor when as much was published in it as in the one before', async () => {
    await purge()
    const other = join(local, 'other')
    mkdirSync(other)
    writeFileSync(join(other, 'news'), 'news')
    await publishAt(other, '/other')
    await publishAt(release, '/08')
    expect(await contentAt('/08/tool')).toBe('tool')
  })

  test('nor after its unused objects were collected', async () => {
    await publishAt(join(local, 'other'), '/08')
    await world.software.collect(REPOSITORY, 'demo', { keep: 1, account: 'boss' })
    await publishAt(release, '/08')
    expect(await contentAt('/08/tool')).toBe('tool')
  })

  test('small numbers of revisions are not those of an older state', async () => {
    const fetched = async (name: string) => {
      const place = join(local, name)
      await get(REPOSITORY, place, { ...options(), store: join(local, 'store') })
      return readFileSync(join(place, '08/tool'), 'utf8')
    }
    expect(await fetched('before')).toBe('tool')
    await purge()
    await publishAt(release, '/08')
    expect(await fetched('after')).toBe('tool')
  })
})
