import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import {
  addReplicas,
  addRse,
  changeReplicaStates,
  createScope,
  declareReplicas,
  listBadReplicas,
  listSuspicious,
  type ReplicaKey,
  readReplicas,
  readRseUsage,
  removeReplicas,
  resolveDeclarations,
} from './index.ts'

const database = testDatabase()
const now = new Date('2026-11-21T00:00:00Z')
const vo = 'demo'
const scope = 'belle'
let rseId: number

beforeAll(async () => {
  await createScope(database.db, { vo, now, name: scope, accountId: 1 })
  rseId = (await addRse(database.db, { vo, now, uuid: randomUUID(), name: 'KEK' })).id
})

const register = async (name: string): Promise<ReplicaKey> => {
  const input = { vo, now, accountId: 1, rseId, files: [{ scope, name, bytes: 7n }] }
  return { fileId: (await addReplicas(database.db, input))[0]!.fileId, rseId }
}
const declare = (state: 'BAD' | 'SUSPICIOUS', replicas: ReplicaKey[], at = now) =>
  declareReplicas(database.db, { vo, now: at, accountId: 1, state, reason: 'checksum', replicas })
const files = async () => (await readRseUsage(database.db, { rseIds: [rseId], now }))[0]!.files
const stateOf = async (key: ReplicaKey) => (await readReplicas(database.db, [key]))[0]?.state

test('a bad copy is no longer counted, is declared once and stays on record', async () => {
  const copy = await register('bad')
  const nowhere = { fileId: copy.fileId, rseId: 9999 }
  const before = await files()
  expect(await declare('BAD', [copy, nowhere])).toEqual({ declared: [copy], unknown: [nowhere] })
  await declare('BAD', [copy])
  expect(await files()).toBe(before! - 1n)
  expect(await stateOf(copy)).toBe('BAD')
  expect(await listBadReplicas(database.db, { vo, openOnly: true })).toMatchObject([
    { scope, name: 'bad', rseId, state: 'BAD', reason: 'checksum', accountId: 1, resolvedAt: null },
  ])
  await removeReplicas(database.db, { vo, now, replicas: [copy] })
  expect(await files()).toBe(before! - 1n)
  expect(await listBadReplicas(database.db, { vo, states: ['BAD'], rseIds: [rseId] })).toHaveLength(1)
  expect(await listBadReplicas(database.db, { vo: 'other' })).toEqual([])
})

test('a good copy closes the declaration; the next damage opens another', async () => {
  const copy = await register('healed')
  await declare('BAD', [copy])
  await changeReplicaStates(database.db, { vo, now, replicas: [copy], from: ['BAD'], to: 'AVAILABLE' })
  await resolveDeclarations(database.db, { now, replicas: [copy], outcome: 'RECOVERED' })
  const later = new Date(now.getTime() + 60_000)
  await declare('BAD', [copy], later)
  const records = (await listBadReplicas(database.db, { vo })).filter((b) => b.name === 'healed')
  expect(records.map((b) => [b.state, b.resolvedAt])).toEqual([
    ['BAD', null],
    ['RECOVERED', now],
  ])
  expect(await listBadReplicas(database.db, { vo, since: later })).toHaveLength(1)
})

test('suspicions are counted and take no copy away until it is declared bad', async () => {
  const copy = await register('doubtful')
  const once = await register('once')
  const before = await files()
  await declare('SUSPICIOUS', [copy, once])
  await declare('SUSPICIOUS', [copy], new Date(now.getTime() + 1000))
  expect(await stateOf(copy)).toBe('AVAILABLE')
  expect(await files()).toBe(before)
  const suspects = await listSuspicious(database.db, { vo })
  expect(suspects.map((s) => [s.name, s.count, s.since])).toEqual([
    ['doubtful', 2, now],
    ['once', 1, now],
  ])
  expect(await listSuspicious(database.db, { vo, atLeast: 2 })).toHaveLength(1)
  await declare('BAD', [copy])
  expect((await listSuspicious(database.db, { vo })).map((s) => s.name)).toEqual(['once'])
})

test('a file given up is on record as LOST', async () => {
  const copy = await register('gone')
  await declare('BAD', [copy])
  await resolveDeclarations(database.db, { now, replicas: [copy], outcome: 'LOST' })
  expect(await listBadReplicas(database.db, { vo, states: ['LOST'] })).toMatchObject([
    { name: 'gone', resolvedAt: now },
  ])
})
