import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { listen, silentLogger, sql } from '../kernel/index.ts'
import {
  addRse,
  addRseProtocol,
  createRseTable,
  deleteRse,
  deleteRseAttribute,
  deleteRseDistance,
  deleteRseLimit,
  deleteRseProtocols,
  getRse,
  noteAreas,
  type RseProtocol,
  readRseDistances,
  readRses,
  readRseUsage,
  setRseAttribute,
  setRseDistance,
  setRseLimit,
  setRseUsage,
  updateRse,
  updateRseProtocols,
} from './index.ts'

const database = testDatabase()
const now = new Date('2026-11-21T00:00:00Z')
const vo = 'demo'
let next = 0
let name = ''
let at = { vo, now, rse: name }
const add = (rse: string) => addRse(database.db, { vo, now, uuid: randomUUID(), name: rse })
const get = (rse = name) => getRse(database.db, { vo, name: rse })

beforeEach(async () => {
  name = `SITE-${++next}`
  at = { vo, now, rse: name }
  await add(name)
})

describe('an RSE', () => {
  test('is changed, and what is not named stays', async () => {
    const later = new Date('2026-11-22T00:00:00Z')
    const changes = { canWrite: false, city: 'Tsukuba', latitude: 36.15 }
    await updateRse(database.db, { vo, now: later, name, properties: changes })
    await updateRse(database.db, { vo, now: later, name, properties: { city: null } })
    expect(await get()).toMatchObject({
      canWrite: false,
      canRead: true,
      city: null,
      latitude: 36.15,
      updatedAt: later,
    })
    await expect(updateRse(database.db, { vo, now, name: 'NONE', properties: {} })).rejects.toMatchObject({
      code: 'rse_not_found',
    })
  })

  test('is renamed, answers to its new name in expressions, and never takes a name in use', async () => {
    const newName = `NEW-${next}`
    const { id } = await get()
    const renamed = await updateRse(database.db, { vo, now, name, properties: {}, newName })
    expect(renamed).toMatchObject({ id, name: newName, attributes: { [newName]: true } })
    expect(renamed.attributes).not.toHaveProperty(name)
    await expect(get()).rejects.toMatchObject({ code: 'rse_not_found' })
    await add(name)
    const taken = updateRse(database.db, { vo, now, name, properties: {}, newName })
    await expect(taken).rejects.toMatchObject({ code: 'rse_exists' })
    const odd = updateRse(database.db, { vo, now, name, properties: {}, newName: 'lower' })
    await expect(odd).rejects.toMatchObject({ code: 'invalid_name' })
  })

  test('is created once at a time, and deleted only when empty', async () => {
    await expect(add(name)).rejects.toMatchObject({ code: 'rse_exists' })
    const { id } = await get()
    await sql`insert into replica (file_id, rse_id, state) values (1, ${id}, 'A')`.execute(database.db)
    await expect(deleteRse(database.db, { vo, now, name })).rejects.toMatchObject({ code: 'rse_not_empty' })
    await sql`delete from replica where rse_id = ${id}`.execute(database.db)
    await deleteRse(database.db, { vo, now, name })
    await expect(get()).rejects.toMatchObject({ code: 'rse_not_found' })
    expect((await add(name)).id).not.toBe(id)
  })

  test('keeps attributes of any simple kind', async () => {
    for (const value of ['text', 5, true, false, '']) {
      await setRseAttribute(database.db, { ...at, key: 'k', value })
      expect((await get()).attributes.k).toBe(value)
    }
    await deleteRseAttribute(database.db, { ...at, key: 'k' })
    const again = deleteRseAttribute(database.db, { ...at, key: 'k' })
    await expect(again).rejects.toMatchObject({ code: 'rse_attribute_not_found' })
    const odd = setRseAttribute(database.db, { ...at, key: 'a b', value: 1 })
    await expect(odd).rejects.toMatchObject({ code: 'invalid_input' })
  })

  test('has limits by name, beyond what a double can hold', async () => {
    await setRseLimit(database.db, { ...at, name: 'MinFreeSpace', value: 1n })
    await setRseLimit(database.db, { ...at, name: 'MinFreeSpace', value: 9_007_199_254_740_993n })
    expect((await get()).limits).toEqual({ MinFreeSpace: 9_007_199_254_740_993n })
    await deleteRseLimit(database.db, { ...at, name: 'MinFreeSpace' })
    const again = deleteRseLimit(database.db, { ...at, name: 'MinFreeSpace' })
    await expect(again).rejects.toMatchObject({ code: 'rse_limit_not_found' })
  })
})

describe('protocols', () => {
  const protocol = (more: Partial<RseProtocol> = {}): RseProtocol => ({
    ...{
      scheme: 'https',
      hostname: 'localhost',
      port: 7451,
      prefix: '/demo/',
      impl: 'x',
      extendedAttributes: null,
    },
    domains: {
      lan: { read: 1, write: 1, delete: 1 },
      wan: { read: 1, write: 1, delete: null, thirdPartyRead: 1, thirdPartyWrite: 1 },
    },
    ...more,
  })
  const put = (more: Partial<RseProtocol> = {}) =>
    addRseProtocol(database.db, { ...at, protocol: protocol(more) })
  const ports = async () => (await get()).protocols.map((p) => p.port)

  test('come back as they were given, once per address', async () => {
    await put({ extendedAttributes: { web_service_path: '/x' } })
    expect((await get()).protocols).toEqual([protocol({ extendedAttributes: { web_service_path: '/x' } })])
    await expect(put()).rejects.toMatchObject({ code: 'rse_protocol_exists' })
    await expect(put({ port: 70_000 })).rejects.toMatchObject({ code: 'invalid_input' })
    await expect(put({ scheme: 'no scheme' })).rejects.toMatchObject({ code: 'invalid_input' })
    const domains = { ...protocol().domains, lan: { read: -1, write: 1, delete: 1 } }
    await expect(put({ port: 1, domains })).rejects.toMatchObject({ code: 'invalid_input' })
  })

  test('are changed and removed by scheme, or by host and port', async () => {
    for (const port of [1, 2, 3]) await put({ port })
    await put({ port: 4, scheme: 'root' })
    const changes = { prefix: '/new/' }
    await updateRseProtocols(database.db, { ...at, choice: { scheme: 'https', port: 2 }, changes })
    expect((await get()).protocols.map((p) => p.prefix)).toEqual(['/demo/', '/new/', '/demo/', '/demo/'])
    await deleteRseProtocols(database.db, {
      ...at,
      choice: { scheme: 'https', hostname: 'localhost', port: 1 },
    })
    expect(await ports()).toEqual([2, 3, 4])
    const clash = updateRseProtocols(database.db, {
      ...at,
      choice: { scheme: 'https', port: 2 },
      changes: { port: 3 },
    })
    await expect(clash).rejects.toMatchObject({ code: 'rse_protocol_exists' })
    expect(await ports()).toEqual([2, 3, 4])
    await deleteRseProtocols(database.db, { ...at, choice: { scheme: 'https' } })
    expect(await ports()).toEqual([4])
    const gone = deleteRseProtocols(database.db, { ...at, choice: { scheme: 'https' } })
    await expect(gone).rejects.toMatchObject({ code: 'rse_protocol_not_found' })
  })
})

describe('usage and distance', () => {
  test('usage is what was counted, folded or not, and what others measured', async () => {
    const { id } = await get()
    const usage = async () =>
      (await readRseUsage(database.db, { rseIds: [id], now })).map((u) => [u.source, u.used, u.files])
    await sql`insert into counter_delta (kind, key1, d_files, d_bytes) values ('rse', ${id}, 2, 30), ('rse', ${id}, -1, -10)`.execute(
      database.db,
    )
    expect(await usage()).toEqual([['rucio', 20n, 1n]])
    await sql`insert into rse_usage (rse_id, source, used, files, updated_at) values (${id}, 'rucio', 100, 5, ${now})`.execute(
      database.db,
    )
    expect(await usage()).toEqual([['rucio', 120n, 6n]])
    await setRseUsage(database.db, { ...at, source: 'storage', used: 1n })
    await setRseUsage(database.db, { ...at, source: 'storage', used: 7n, free: 3n })
    expect(await usage()).toEqual([
      ['rucio', 120n, 6n],
      ['storage', 7n, null],
    ])
    const own = setRseUsage(database.db, { ...at, source: 'rucio', used: 1n })
    await expect(own).rejects.toMatchObject({ code: 'invalid_input' })
  })

  test('what a gateway reports of an area is the usage of the storages in it', async () => {
    const { id } = await get()
    await setRseAttribute(database.db, { ...at, key: 'site', value: 'kek' })
    const domains = { lan: { read: 1, write: 1, delete: 1 }, wan: { read: 1, write: 1, delete: 1 } }
    const wan = { ...domains.wan, thirdPartyRead: 1, thirdPartyWrite: 1 }
    const place = { scheme: 'https', hostname: 'kek', port: 1, prefix: '/demo/data/', impl: '' }
    const protocol = { ...place, domains: { ...domains, wan }, extendedAttributes: null }
    await addRseProtocol(database.db, { ...at, protocol })
    const rses = await readRses(database.db, { vo })
    const area = (path: string, usedBytes: number) => ({ path, usedBytes, totalBytes: 100, files: 2 })
    const note = (site: string, areas: Parameters<typeof noteAreas>[1]['areas']) =>
      noteAreas(database.db, { now, site, areas, rses })
    await note('osaka', [area('/demo', 1)])
    await note('kek', [area('/de', 2), area('/demo', 30)])
    const usage = await readRseUsage(database.db, { rseIds: [id], now })
    expect(usage.filter(({ source }) => source === 'storage')).toMatchObject([
      { used: 30n, free: 70n, files: 2n },
    ])
  })

  test('distance goes one way or both, and is replaced', async () => {
    const other = `OTHER-${next}`
    const [srcId, dstId] = [(await get()).id, (await add(other)).id]
    const pair = { vo, now, src: name, dst: other }
    const between = async () => [
      ...(await readRseDistances(database.db, { vo, srcId })),
      ...(await readRseDistances(database.db, { vo, srcId: dstId })),
    ]
    await setRseDistance(database.db, { ...pair, distance: 3 })
    expect(await between()).toEqual([{ srcId, dstId, distance: 3 }])
    await setRseDistance(database.db, { ...pair, distance: 1, bidirectional: true })
    expect(await between()).toEqual([
      { srcId, dstId, distance: 1 },
      { srcId: dstId, dstId: srcId, distance: 1 },
    ])
    await deleteRseDistance(database.db, pair)
    expect(await between()).toEqual([{ srcId: dstId, dstId: srcId, distance: 1 }])
    await expect(deleteRseDistance(database.db, pair)).rejects.toMatchObject({
      code: 'rse_distance_not_found',
    })
    await expect(setRseDistance(database.db, { ...pair, distance: -1 })).rejects.toMatchObject({
      code: 'invalid_input',
    })
  })
})

describe('the table of RSEs', () => {
  test('learns of a change anywhere by its wake-up', async () => {
    const wakeups = await listen(database.pool, silentLogger)
    try {
      const table = createRseTable(database.db, wakeups)
      const rse = await table.byName(vo, name)
      expect(await table.byId(vo, rse.id)).toEqual(rse)
      await setRseAttribute(database.db, { ...at, key: 'tier', value: 9 })
      await vi.waitFor(async () => expect(await table.match(vo, 'tier=9')).toMatchObject([{ name }]))
      await deleteRse(database.db, { vo, now, name })
      await vi.waitFor(() => expect(table.byName(vo, name)).rejects.toMatchObject({ code: 'rse_not_found' }))
      expect(await table.byId(vo, rse.id)).toBeUndefined()
    } finally {
      await wakeups.close()
    }
  })

  test('without wake-ups stays as it was read until told', async () => {
    const table = createRseTable(database.db)
    const before = await table.all(vo)
    await updateRse(database.db, { vo, now, name, properties: { city: 'Osaka' } })
    expect(await table.all(vo)).toBe(before)
    table.invalidate()
    expect(await table.byName(vo, name)).toMatchObject({ city: 'Osaka' })
    expect(await table.all(vo)).toEqual(await readRses(database.db, { vo }))
  })

  test('keeps VOs apart and reads again after a failure', async () => {
    await addRse(database.db, { vo: 'else', now, uuid: randomUUID(), name })
    const table = createRseTable(database.db)
    expect((await table.all('else')).map((r) => r.name)).toEqual([name])
    expect((await table.byName(vo, name)).id).not.toBe((await table.byName('else', name)).id)
    await expect(table.match('nobody', '*')).rejects.toMatchObject({ code: 'no_rse_matches' })
    await expect(table.all('a\0b')).rejects.toThrow()
    await expect(table.all('a\0b')).rejects.toThrow()
  })
})
