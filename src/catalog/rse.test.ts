import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import {
  addRse,
  addRseProtocol,
  areasOfAccount,
  createScope,
  getRse,
  listScopes,
  matchRses,
  pathOfPfn,
  pfnOf,
  protocolsFor,
  readRses,
  readRseUsage,
  setRseAttribute,
} from './index.ts'

const database = testDatabase()
const now = new Date('2026-11-21T00:00:00Z')
const vo = 'demo'

test('the area of an account is where nothing lies but its own', async () => {
  const { db } = database
  const vo = 'areas'
  const local = { read: 1, write: 1, delete: 1 }
  for (const [i, prefix] of ['/areas/', '/areas/disk', '/elsewhere/', '/areas/'].entries()) {
    const rse = `AREA-${i}`
    await addRse(db, { vo, now, uuid: randomUUID(), name: rse })
    await addRseProtocol(db, {
      ...{ vo, now, rse },
      protocol: {
        ...{ scheme: 'https', hostname: 'localhost', port: 1, prefix, impl: 'x' },
        domains: { lan: local, wan: { ...local, thirdPartyRead: null, thirdPartyWrite: null } },
        extendedAttributes: null,
      },
    })
  }
  const rses = await readRses(db, { vo })
  const areas = (accountId: number) => areasOfAccount(db, { vo, accountId, rses })
  for (const [name, accountId] of [
    ['user.emi', 31],
    ['run.7', 31],
    ['user', 32],
    ['group.a', 32],
    ['group.a.b', 33],
    ['run', 33],
  ] as const)
    await createScope(db, { vo, now, name, accountId })
  expect((await areas(31)).sort()).toEqual(['/disk/run.7', '/disk/user/emi', '/run.7', '/user/emi'])
  expect(await areas(32)).toEqual([])
  expect((await areas(33)).sort()).toEqual(['/disk/group/a/b', '/disk/run', '/group/a/b', '/run'])
})

test('a scope belongs to an account and exists once', async () => {
  await createScope(database.db, { vo, now, name: 'user.aki', accountId: 1 })
  await expect(createScope(database.db, { vo, now, name: 'user.aki', accountId: 2 })).rejects.toMatchObject({
    code: 'scope_exists',
  })
  expect((await listScopes(database.db, { vo, accountId: 1 })).map((s) => s.name)).toEqual(['user.aki'])
})

test('an RSE is found by expression, read left to right, and gives names to copies', async () => {
  for (const name of ['KEK', 'OSAKA', 'CHICAGO'])
    await addRse(database.db, { vo, now, uuid: randomUUID(), name })
  await setRseAttribute(database.db, { vo, now, rse: 'KEK', key: 'tier', value: 1 })
  await setRseAttribute(database.db, { vo, now, rse: 'OSAKA', key: 'tier', value: 2 })
  await addRseProtocol(database.db, {
    vo,
    now,
    rse: 'KEK',
    protocol: {
      scheme: 'https',
      hostname: 'localhost',
      port: 7451,
      prefix: '/demo/',
      impl: 'x',
      domains: {
        lan: { read: 1, write: 1, delete: 1 },
        wan: { read: 1, write: 1, delete: 1, thirdPartyRead: 1, thirdPartyWrite: 1 },
      },
      extendedAttributes: null,
    },
  })
  const rses = await readRses(database.db, { vo })
  const names = (e: string) =>
    matchRses(rses, e)
      .map((r) => r.name)
      .sort()
  expect(names('*')).toEqual(['CHICAGO', 'KEK', 'OSAKA'])
  expect(names('KEK|OSAKA&tier>1')).toEqual(['OSAKA'])
  expect(names('KEK|(OSAKA&tier<1)')).toEqual(['KEK'])
  expect(names('*\\tier=1')).toEqual(['CHICAGO', 'OSAKA'])
  expect(() => names('tier=9')).toThrow(expect.objectContaining({ code: 'no_rse_matches' }))
  expect(() => names('KEK|')).toThrow(/position 5/)
  const kek = await getRse(database.db, { vo, name: 'KEK' })
  const pfn = pfnOf(kek, protocolsFor(kek, 'read')[0]!, { scope: 'user.aki', name: 'f1' })
  expect(pfn).toMatch(/^https:\/\/localhost:7451\/demo\/user\/aki\/[0-9a-f]{2}\/[0-9a-f]{2}\/f1$/)
  expect(pathOfPfn(kek, pfn)).toMatch(/^user\/aki\//)
  expect((await readRseUsage(database.db, { rseIds: [kek.id], now }))[0]).toMatchObject({
    source: 'rucio',
    used: 0n,
    files: 0n,
  })
})
