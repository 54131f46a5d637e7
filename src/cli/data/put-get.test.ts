import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type SmallGrid, startSmallGrid } from '../../../test/harness/small-grid.ts'
import { type GridClient, openClient } from '../client/http.ts'
import { collect, listReplicas } from '../client/rucio.ts'
import type { Progress } from '../progress.ts'
import { writeRootTree } from '../run-data/root-tree.ts'
import { getFiles } from './get.ts'
import { gatherFiles } from './local-files.ts'
import { putFiles } from './put.ts'

const silent: Progress = { add: () => undefined, say: () => undefined, done: () => undefined }
let grid: SmallGrid
let client: GridClient
let local: string

beforeEach(async () => {
  grid = await startSmallGrid()
  client = await openClient({}, grid.environment)
  local = join(grid.home, 'run7')
  await mkdir(local)
  for (let i = 0; i < 12; i++) await writeFile(join(local, `f${i}.raw`), Buffer.alloc(i * 70_000 + 1, i + 1))
})
afterEach(async () => {
  await client.close()
  await grid.close()
})

async function put(rse = 'A') {
  const files = await gatherFiles([local])
  const dataset = { scope: 'user.mika', name: 'run7' }
  return putFiles(client, { files, scope: 'user.mika', dataset, rse, metadata: { run_number: 7 } }, silent)
}

async function same(directory: string, name: string) {
  return (await readFile(join(directory, name))).equals(await readFile(join(local, name)))
}

async function get(directory: string) {
  const files = await collect(listReplicas(client, [{ scope: 'user.mika', name: 'run7' }]))
  return getFiles(client, files, directory, silent)
}

describe('putting files', () => {
  test('stores them, makes them available and attaches them to the dataset', async () => {
    expect(await put()).toMatchObject({ files: 12, stored: 12, present: 0, failed: [] })
    expect(grid.datasets.get('user.mika:run7')!.size).toBe(12)
    const file = grid.files.get('user.mika:f3.raw')!
    expect(file).toMatchObject({ bytes: 210_001, states: { A: 'A' }, meta: { run_number: 7 } })
    expect(grid.log.filter((line) => line === 'POST /rucio/replicas')).toHaveLength(1)
  })

  test('again sends nothing', async () => {
    await put()
    grid.log.length = 0
    expect(await put()).toMatchObject({ stored: 0, present: 12, failed: [] })
    expect(grid.log.filter((line) => line.startsWith('PUT /A'))).toEqual([])
  })

  test('finishes what was announced but never became available, without sending stored bytes again', async () => {
    await put()
    for (const file of grid.files.values()) file.states.A = 'C'
    for (const path of grid.stored.keys()) if (path.endsWith('/f5.raw')) grid.stored.delete(path)
    grid.log.length = 0
    expect(await put()).toMatchObject({ stored: 12, failed: [] })
    expect(grid.log.filter((line) => line.startsWith('PUT /A'))).toHaveLength(1)
    expect(grid.files.get('user.mika:f5.raw')!.states.A).toBe('A')
  })

  test('takes back what a storage refuses and continues when repeated', async () => {
    grid.fault = (line) => (line.startsWith('PUT /A') && line.endsWith('/f2.raw') ? 507 : undefined)
    const first = await put()
    expect(first).toMatchObject({ stored: 11, failed: [{ name: 'user.mika:f2.raw' }] })
    expect(grid.files.get('user.mika:f2.raw')!.states).toEqual({})
    grid.fault = undefined
    expect(await put()).toMatchObject({ stored: 1, present: 11, failed: [] })
  })

  test('refuses a name that has other content', async () => {
    await put()
    await writeFile(join(local, 'f1.raw'), 'something else')
    expect((await put()).failed).toMatchObject([{ name: 'user.mika:f1.raw' }])
  })

  test('notes the events of a ROOT file', async () => {
    const tree = { name: 'events', entries: 42, branches: [{ name: 'n', values: new Int32Array(42) }] }
    await writeFile(join(local, 'reduced.root'), writeRootTree(tree))
    await put()
    expect(grid.files.get('user.mika:reduced.root')!.meta).toEqual({ run_number: 7, events: 42 })
  })

  test('leaves nothing half done when interrupted: a file is there and available, or not at all', async () => {
    const stop = new AbortController()
    let puts = 0
    grid.fault = (line) => {
      if (line.startsWith('PUT /A') && ++puts === 4) stop.abort(new Error('interrupted'))
      return undefined
    }
    const files = await gatherFiles([local])
    const order = { files, scope: 'user.mika', rse: 'A', concurrency: 2 }
    const summary = await putFiles(client, order, silent, stop.signal)
    expect(summary.stored).toBeGreaterThan(0)
    expect(summary.stored + summary.failed.length).toBe(12)
    const states = [...grid.files.values()].map((file) => file.states.A)
    expect(states.filter((state) => state === 'A')).toHaveLength(summary.stored)
    expect(states).not.toContain('C')
    expect(await put()).toMatchObject({ present: summary.stored, stored: 12 - summary.stored, failed: [] })
  })

  test('does nothing more after an interruption', async () => {
    const stop = AbortSignal.abort(new Error('interrupted'))
    const files = await gatherFiles([local])
    const summary = await putFiles(client, { files, scope: 'user.mika', rse: 'A' }, silent, stop)
    expect(summary).toMatchObject({ stored: 0, failed: [{ name: '12 files' }] })
    expect(grid.stored.size).toBe(0)
  })
})

describe('getting files', () => {
  test('gives the same bytes, and nothing is fetched twice', async () => {
    await put()
    const target = join(grid.home, 'out')
    expect(await get(target)).toMatchObject({ fetched: 12, present: 0, failed: [] })
    expect(await same(target, 'f9.raw')).toBe(true)
    expect(await get(target)).toMatchObject({ fetched: 0, present: 12 })
  })

  test('continues a part that is there', async () => {
    await put()
    const target = join(grid.home, 'out')
    await mkdir(target)
    const whole = await readFile(join(local, 'f9.raw'))
    await writeFile(join(target, 'f9.raw.part'), whole.subarray(0, 100_000))
    expect(await get(target)).toMatchObject({ fetched: 12, failed: [] })
    expect(await same(target, 'f9.raw')).toBe(true)
    await expect(stat(join(target, 'f9.raw.part'))).rejects.toThrow()
  })

  test('takes the next copy when the nearest is damaged or gone', async () => {
    await put('A')
    await put('B')
    for (const [path, content] of grid.stored) {
      if (path.startsWith('/A') && path.endsWith('/f4.raw')) content.fill(9)
    }
    grid.fault = (line) => (line.startsWith('GET /A') && line.endsWith('/f6.raw') ? 503 : undefined)
    const target = join(grid.home, 'out')
    expect(await get(target)).toMatchObject({ fetched: 12, failed: [] })
    for (const name of ['f4.raw', 'f6.raw']) expect(await same(target, name)).toBe(true)
  })

  test('leaves no file behind when every copy is damaged', async () => {
    await put()
    for (const [path, content] of grid.stored) if (path.endsWith('/f4.raw')) content.fill(9)
    const target = join(grid.home, 'out')
    expect((await get(target)).failed).toMatchObject([{ name: 'user.mika:f4.raw' }])
    await expect(stat(join(target, 'f4.raw'))).rejects.toThrow()
    await expect(stat(join(target, 'f4.raw.part'))).rejects.toThrow()
  })
})
