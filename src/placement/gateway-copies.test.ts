import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { gatewayWorld, type Site } from '../../test/harness/gateway-world.ts'
import { addRse, addRseProtocol, computePath, getRse, type Rse } from '../catalog/index.ts'
import { adler32 } from '../kernel/adler32.ts'
import { type WebdavClient, webdavClient } from '../storage/index.ts'
import type { CopyStore, FileAt } from './deletion-steps.ts'
import { gatewayCopies } from './gateway-copies.ts'

const database = testDatabase()
const vo = 'demo'
const now = new Date()
let world: Awaited<ReturnType<typeof gatewayWorld>>
let site: Site
let client: WebdavClient
let copies: CopyStore
/** One that computes paths from names, one that keeps them; both below a prefix of their own. */
let rses: Record<'computed' | 'stored', Rse>
const scopesAsked: string[] = []

beforeAll(async () => {
  world = await gatewayWorld(['a'])
  site = world.sites[0]!
  await world.openIssuer()
  await world.startHere(site)
  const storage = async (name: string, deterministic: boolean): Promise<Rse> => {
    const properties = { deterministic }
    await addRse(database.db, { vo, now, name, uuid: randomUUID(), properties })
    const all = { read: 1, write: 1, delete: 1 }
    const domains = { lan: all, wan: { ...all, thirdPartyRead: 1, thirdPartyWrite: 1 } }
    const place = { scheme: 'https', hostname: 'localhost', port: site.port, prefix: '/demo/data/' }
    const protocol = { ...place, impl: 'webdav', domains, extendedAttributes: null }
    await addRseProtocol(database.db, { vo, now, rse: name, protocol })
    return getRse(database.db, { vo, name })
  }
  rses = { computed: await storage('COMPUTED', true), stored: await storage('STORED', false) }
  client = webdavClient({ ca: readFileSync(world.ca) })
  copies = gatewayCopies({
    client,
    identity: {
      async mint({ scopes, audience, lifetimeSeconds }) {
        scopesAsked.push(...scopes)
        const claims = { audience: String(audience), lifetime: lifetimeSeconds ?? 600 }
        const token = await world.mint(scopes.join(' '), claims)
        return { token, tokenId: token, scopes, expiresAt: now }
      },
    },
  })
})
afterAll(async () => {
  await client.close()
  await world.close()
})

const bytes = Buffer.from('the bytes of a file')
const facts = { bytes: BigInt(bytes.length), adler32: adler32(bytes) | 0 }

/** A file that lies at the site, and where. */
function lying(kind: 'computed' | 'stored', name: string): { file: FileAt; place: string } {
  const path = kind === 'stored' ? `raw/run 7/${name}` : null
  const file = { scope: 's', name, path, ...facts }
  const place = join(site.area, 'data', path ?? computePath(rses.computed, file))
  mkdirSync(dirname(place), { recursive: true })
  writeFileSync(place, bytes)
  return { file, place }
}

describe.each(['computed', 'stored'] as const)('a copy whose path is %s', (kind) => {
  test('goes to the trash, comes back, and goes for good, however often it is told to', async () => {
    const { file, place } = lying(kind, 'one')
    const bin = (id: string) => join(site.area, '.trash', id)
    for (let i = 0; i < 2; i++) await copies.trash(rses[kind], file, `${kind}-1`)
    expect([existsSync(place), existsSync(bin(`${kind}-1`))]).toEqual([false, true])
    for (let i = 0; i < 2; i++) await copies.restore(rses[kind], file, `${kind}-1`)
    expect(readFileSync(place).equals(bytes)).toBe(true)
    await copies.trash(rses[kind], file, `${kind}-2`)
    for (let i = 0; i < 2; i++) await copies.purge(rses[kind], `${kind}-2`)
    expect([existsSync(place), existsSync(bin(`${kind}-2`))]).toEqual([false, false])
    // Every token was for single files.
    expect(scopesAsked.filter((scope) => !/(one|two|\.trash\/\w+-[123])$/.test(scope))).toEqual([])
  })

  test('is there, is not there, or rotted', async () => {
    const { file, place } = lying(kind, 'two')
    const verify = (checksum: 'kept' | 'anew') => copies.verify(rses[kind], file, checksum)
    expect([await verify('kept'), await verify('anew')]).toEqual([true, true])
    const { atime, mtime } = statSync(place)
    writeFileSync(place, Buffer.from('the bytes of a filf'))
    utimesSync(place, atime, mtime)
    expect([await verify('kept'), await verify('anew')]).toEqual([true, false])
    await copies.trash(rses[kind], file, `${kind}-3`)
    expect([await verify('kept'), await verify('anew')]).toEqual([false, false])
  })
})
