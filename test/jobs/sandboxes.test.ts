import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { registerDiracxDoor } from '../../src/doors/diracx/index.ts'
import { registerPilotRoutes } from '../../src/doors/kumi/pilots.ts'
import { createHttp, type Http } from '../../src/http/index.ts'
import type { Identity } from '../../src/identity/index.ts'
import { rows, silentLogger, sql, systemClock } from '../../src/kernel/index.ts'
import { readPilotConfig } from '../../src/pilot/config.ts'
import { startPilot } from '../../src/pilot/pilot.ts'
import { posixDriver } from '../../src/storage/index.ts'
import { addPilots, createSandboxes, type Sandboxes } from '../../src/workload/index.ts'
import { testDatabase } from '../harness/database.ts'
import { testIdentity } from '../harness/identity.ts'
import { jobDoorDeps } from '../harness/job-door.ts'

const ADDRESS = 'https://localhost:7443'
const DAY = 86_400_000

describe('sandboxes', () => {
  const database = testDatabase()
  const home = mkdtempSync(join(tmpdir(), 'kumi-sandboxes-'))
  const stored = join(home, 'stored')
  let http: Http
  let url: string
  let identity: Identity
  let sandboxes: Sandboxes
  const tokens: Record<string, string> = {}

  beforeAll(async () => {
    mkdirSync(stored)
    const { db } = database
    identity = await testIdentity(database, systemClock)
    const accounts = await identity.createAccounts(['mika', 'noa'].map((name) => ({ vo: 'demo', name })))
    for (const { id, name } of accounts) tokens[name] = (await identity.mintForAccount(id)).token
    http = createHttp({ identity, audience: [ADDRESS], log: silentLogger, clock: systemClock, port: 0 })
    const storage = posixDriver(stored)
    await storage.sweep(new Date())
    sandboxes = createSandboxes({ db, log: silentLogger, storage, sealKey: Buffer.alloc(32, 3) })
    const deps = { ...jobDoorDeps(db, identity), sandboxes }
    registerPilotRoutes(http.app, deps)
    await registerDiracxDoor(http.app, { ...deps, log: silentLogger })
    url = (await http.listen()).url
  })
  afterAll(async () => {
    await http?.close()
    rmSync(home, { recursive: true, force: true })
  })

  const call = async (method: string, path: string, body?: unknown, as = 'mika') => {
    const answer = await fetch(`${url}/diracx/api/jobs${path}`, {
      method,
      headers: { authorization: `Bearer ${tokens[as]}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, json: text ? JSON.parse(text) : undefined }
  }
  const facts = (archive: Buffer, format = 'tar.gz') => ({
    ...{ checksum_algorithm: 'sha256', checksum: createHash('sha256').update(archive).digest('hex') },
    ...{ size: archive.length, format },
  })
  /** As the field's client does: the form's address is ours, below the address that the world knows. */
  const send = async (ticket: { url: string; fields: Record<string, string> }, archive: Buffer) => {
    const form = new FormData()
    for (const [name, value] of Object.entries(ticket.fields)) form.set(name, value)
    form.set('file', new Blob([new Uint8Array(archive)]), 'file')
    return fetch(ticket.url.replace(ADDRESS, url), { method: 'POST', body: form })
  }
  const fetchFrom = async (pfn: string, as = 'mika') => {
    const { status, json } = await call('GET', `/sandbox?${new URLSearchParams({ pfn })}`, undefined, as)
    if (status !== 200) return { status }
    const answer = await fetch(json.url.replace(ADDRESS, url))
    return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) }
  }
  const packed = (files: Record<string, string>, flag = '-z') => {
    const directory = mkdtempSync(join(home, 'pack-'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
    return execFileSync('tar', ['-c', flag, '-C', directory, '.'])
  }
  const unpacked = (archive: Buffer): Record<string, string> => {
    const directory = mkdtempSync(join(home, 'unpack-'))
    execFileSync('tar', ['-xz', '-C', directory], { input: archive })
    const names = readdirSync(directory).sort()
    return Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name), 'utf8')]))
  }
  const upload = async (archive: Buffer, format?: string): Promise<string> => {
    const { json } = await call('POST', '/sandbox', facts(archive, format))
    const sent = await send(json, archive)
    expect([sent.status, await sent.text()]).toEqual([204, ''])
    return json.pfn
  }
  const submit = async (jdl: string) => {
    const { status, json } = await call('POST', '/jdl', [jdl])
    return status === 201 ? (json[0].JobID as number) : json.detail
  }
  const status = async (id: number) => {
    const search = [{ parameter: 'JobID', operator: 'eq', value: String(id) }]
    const [job] = (await call('POST', '/search', { search })).json
    return `${job.Status}: ${job.MinorStatus}`
  }
  const filesStored = () =>
    readdirSync(join(stored, 'demo'), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    ).length

  test('are stored under their sum, and what was sent before is not sent again', async () => {
    const archive = packed({ 'a.txt': 'alpha' })
    const first = await call('POST', '/sandbox', facts(archive))
    expect(first.json.pfn).toMatch(
      /^SB:SandboxSE\|\/S3\/kumi\/demo\/demo\/mika\/sha256:[0-9a-f]{64}\.tar\.gz$/,
    )
    expect((await send(first.json, archive)).status).toBe(204)
    const second = await call('POST', '/sandbox', facts(archive))
    expect([second.json.pfn, second.json.url]).toEqual([first.json.pfn, null])
    expect((await fetchFrom(first.json.pfn)).bytes?.equals(archive)).toBe(true)
    // Somebody else must show the same bytes before they have them.
    const other = (await call('POST', '/sandbox', facts(archive), 'noa')).json
    expect(other.url).not.toBeNull()
    expect((await fetchFrom(first.json.pfn, 'noa')).status).toBe(403)
    expect((await fetchFrom(other.pfn, 'noa')).status).toBe(404)
  })

  test('are taken only as announced, with a signature of ours, and not above 100 MiB', async () => {
    const archive = packed({ 'b.txt': 'beta' })
    const { json } = await call('POST', '/sandbox', facts(archive))
    const wrong = Buffer.from(archive)
    wrong[wrong.length - 1] = wrong[wrong.length - 1]! ^ 1
    expect((await send(json, wrong)).status).toBe(400)
    expect((await send(json, archive.subarray(1))).status).toBe(400)
    const forged = { ...json.fields, expires: String(Number(json.fields.expires) + 1000) }
    expect((await send({ ...json, fields: forged }, archive)).status).toBe(403)
    expect((await fetchFrom(json.pfn)).status).toBe(404)
    const large = await call('POST', '/sandbox', { ...facts(archive), size: (100 << 20) + 1 })
    expect([large.status, large.json.detail]).toEqual([400, expect.stringMatching(/100 MiB/)])
    expect((await call('POST', '/sandbox', { ...facts(archive), format: 'zip' })).status).toBe(422)
  })

  test('of a job are unpacked for its payload, and come home with what it wrote', async () => {
    const pfn = await upload(
      packed({ 'run.sh': '#!/bin/sh\ncat words.txt; echo made > made.log; exit $1\n' }),
    )
    const words = await upload(packed({ 'words.txt': 'hello' }, '-j'), 'tar.bz2')
    const jdl = (code: number) =>
      `Executable = "run.sh"; Arguments = "${code}"; InputSandbox = {"${pfn}", "${words}"};
       OutputSandbox = {"std.out", "made.log", "nothing.log"};`
    const [good, bad] = [await submit(jdl(0)), await submit(jdl(3))]
    expect((await call('GET', `/${good}/sandbox`)).json).toEqual({ Input: [pfn, words], Output: [null] })
    await runPilot()
    expect([await status(good), await status(bad)]).toEqual([
      'Done: Execution Complete',
      'Failed: Application Finished With Errors',
    ])
    for (const id of [good, bad]) {
      const [output] = (await call('GET', `/${id}/sandbox/output`)).json
      const { bytes } = await fetchFrom(output)
      expect(unpacked(bytes!)).toEqual({ 'made.log': 'made\n', 'std.out': 'hello' })
    }
    expect((await call('GET', `/${good}/sandbox`, undefined, 'noa')).status).toBe(403)
  })

  test('of somebody else, or never sent, are refused with the job', async () => {
    const archive = packed({ 'c.txt': 'gamma' })
    const { pfn } = (await call('POST', '/sandbox', facts(archive))).json
    expect(await submit(`Executable = "x"; InputSandbox = {"${pfn}"};`)).toMatch(/never sent/)
    const other = pfn.replace('/mika/', '/noa/')
    expect(await submit(`Executable = "x"; InputSandbox = {"${other}"};`)).toMatch(/no sandbox/)
  })

  test('are given and let go by hand', async () => {
    const pfn = await upload(packed({ 'd.txt': 'delta' }))
    const id = await submit('Executable = "/bin/true";')
    expect((await call('PATCH', `/${id}/sandbox/output`, pfn)).status).toBe(200)
    expect((await call('PATCH', `/${id}/sandbox/output`, pfn)).status).toBe(400)
    expect((await call('GET', `/${id}/sandbox/output`)).json).toEqual([pfn])
    expect((await call('POST', '/sandbox/unassign', { job_ids: [id] }, 'noa')).status).toBe(403)
    expect((await call('POST', '/sandbox/unassign', { job_ids: [id] })).status).toBe(204)
    expect((await call('GET', `/${id}/sandbox/output`)).json).toEqual([null])
    expect((await call('DELETE', `/${id}/sandbox`)).status).toBe(200)
  })

  test('go a week after nothing refers to them any more, and their bytes with the last of them', async () => {
    const archive = packed({ 'e.txt': 'epsilon' })
    const pfn = await upload(archive)
    const id = await submit(`Executable = "x"; InputSandbox = {"${pfn}"};`)
    const rest = await upload(packed({ 'f.txt': 'zeta' }))
    const later = new Date(Date.now() + 8 * DAY)
    const tick = () => sandboxes.worker.tick(later)
    await tick()
    expect([(await fetchFrom(pfn)).status, (await fetchFrom(rest)).status]).toEqual([200, 404])
    const before = filesStored()
    const gone = { [new Date().toISOString()]: { Status: 'Killed' } }
    await call('PATCH', '/status', { [id]: gone })
    await tick()
    expect((await fetchFrom(pfn)).status).toBe(200)
    const deleted = { [new Date().toISOString()]: { Status: 'Deleted' } }
    await call('PATCH', '/status', { [id]: deleted })
    await tick()
    expect((await fetchFrom(pfn)).status).toBe(404)
    expect(filesStored()).toBe(before - 1)
    // What went can come again.
    expect((await fetchFrom(await upload(archive))).status).toBe(200)
  })

  /** A pilot of this machine, until there is no work for it. */
  async function runPilot(): Promise<void> {
    const stamp = 'sandboxes'
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
    const [pilots] = await identity.createAccounts([{ vo: 'demo', name: 'pilots', kind: 'SERVICE' }])
    await identity.setAttributes(pilots!.id, { pilots: 'true' })
    const { token } = await identity.mint({
      ...{ vo: 'demo', accountId: pilots!.id, audience: [ADDRESS], lifetimeSeconds: 3600 },
      scopes: [`grid.workload.pilot:/${stamp}`],
    })
    const file = join(home, 'pilot.json')
    const place = {
      directory: join(home, 'pilot'),
      idleSeconds: 1,
      cores: 2,
      memoryMb: 8192,
      seconds: 200_000,
    }
    writeFileSync(file, JSON.stringify({ server: url, stamp, token, ...place }))
    const pilot = startPilot(readPilotConfig(file), { clock: systemClock, log: silentLogger })
    expect(await pilot.ended).toBe('there was no work for it')
    const [{ n }] = (await rows(
      database.db,
      sql<{ n: number }>`select count(*)::int as n from job_attempt where outcome is null`,
    )) as [{ n: number }]
    expect(n).toBe(0)
  }
})
