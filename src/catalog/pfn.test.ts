import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { computePath, pathOfPfn, pfnOf, protocolsFor, type Rse, type RseProtocol } from './index.ts'

const digest = (text: string) => createHash('md5').update(text).digest('hex')
const domains = (read: number | null, write: number | null = null): RseProtocol['domains'] => ({
  lan: { read, write, delete: null },
  wan: { read, write, delete: null, thirdPartyRead: read, thirdPartyWrite: 0 },
})
const protocol = (more: Partial<RseProtocol> = {}): RseProtocol => ({
  ...{
    scheme: 'https',
    hostname: 'localhost',
    port: 7451,
    prefix: '/demo/',
    impl: 'x',
    extendedAttributes: null,
  },
  ...{ domains: domains(1), ...more },
})
const rse = (more: Partial<Rse> = {}) =>
  ({ name: 'KEK', deterministic: true, attributes: {}, protocols: [protocol()], ...more }) as Rse

test('a path is made from the digest of the name', () => {
  const hash = digest('belle:mc/1.root')
  expect(computePath(rse(), { scope: 'belle', name: 'mc/1.root' })).toBe(
    `belle/${hash.slice(0, 2)}/${hash.slice(2, 4)}/mc/1.root`,
  )
})

test('dots of scopes of users and groups become folders, of others not', () => {
  expect(computePath(rse(), { scope: 'user.aki.b', name: 'f' })).toMatch(/^user\/aki\/b\/..\/..\/f$/)
  expect(computePath(rse(), { scope: 'group.top', name: 'f' })).toMatch(/^group\/top\/..\/..\/f$/)
  expect(computePath(rse(), { scope: 'data.2026', name: 'f' })).toMatch(/^data\.2026\/..\/..\/f$/)
})

test('an RSE may keep names as they are', () => {
  const identity = rse({ attributes: { lfn2pfn_algorithm: 'identity' } })
  expect(computePath(identity, { scope: 'user.aki', name: 'a/b' })).toBe('user/aki/a/b')
})

test('a URL leads back to its path, with or without the port', () => {
  const did = { scope: 's', name: 'f' }
  const url = pfnOf(rse(), protocol(), did)
  expect(url).toBe(`https://localhost:7451/demo/${computePath(rse(), did)}`)
  expect(pathOfPfn(rse(), url)).toBe(computePath(rse(), did))
  expect(pathOfPfn(rse(), url.replace(':7451', ''))).toBe(computePath(rse(), did))
  expect(pathOfPfn(rse(), url.replace('localhost', 'elsewhere'))).toBeNull()
  expect(pathOfPfn(rse(), url.replace('/demo/', '/other/'))).toBeNull()
})

test('an explicit path is kept, and needed where none can be computed', () => {
  const did = { scope: 's', name: 'f' }
  expect(pfnOf(rse(), protocol({ prefix: '/x' }), did, '/own/place')).toBe(
    'https://localhost:7451/x/own/place',
  )
  expect(() => pfnOf(rse({ deterministic: false }), protocol(), did)).toThrow(/must be given/)
  expect(pfnOf(rse({ deterministic: false }), protocol(), did, 'p')).toBe('https://localhost:7451/demo/p')
})

test('protocols come best first, and none that is not for the operation', () => {
  const second = protocol({ scheme: 'root', domains: domains(2) })
  const both = rse({ protocols: [second, protocol(), protocol({ scheme: 's3', domains: domains(null, 1) })] })
  expect(protocolsFor(both, 'read').map((p) => p.scheme)).toEqual(['https', 'root'])
  expect(protocolsFor(both, 'write', 'lan').map((p) => p.scheme)).toEqual(['s3'])
  expect(protocolsFor(both, 'thirdPartyWrite')).toEqual([])
  expect(protocolsFor(both, 'thirdPartyRead', 'lan')).toEqual([])
})
