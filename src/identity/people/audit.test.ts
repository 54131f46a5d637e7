import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { sql, transaction, virtualClock } from '../../kernel/index.ts'
import type { Identity } from '../index.ts'

describe('the audit log', () => {
  const database = testDatabase()
  const clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
  let identity: Identity
  const write = (target: string, actor = 'mika') =>
    transaction(database.db, (tx) =>
      identity.audit(tx, { vo: 'demo', actor, action: 'test.done', target, detail: { 数: 1 } }),
    )

  beforeAll(async () => {
    identity = await testIdentity(database, clock)
  })

  test('keeps who did what in the order of the commits, whole under many writers', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, i) => write(`t${i}`)))
    const entries = await identity.auditLog('demo', { action: 'test.*' })
    expect(entries).toHaveLength(40)
    expect(entries[0]).toMatchObject({ actor: 'mika', action: 'test.done', detail: { 数: 1 } })
    const numbers = entries.map(({ seq }) => seq)
    expect(numbers).toEqual(Array.from({ length: 40 }, (_, i) => numbers[0]! - BigInt(i)))
    const verdict = await identity.verifyAuditChain()
    expect(verdict).toMatchObject({ entries: numbers[0], head: entries[0]!.hash, brokenAt: null })
  })

  test('has no entry of what was rolled back', async () => {
    const failing = transaction(database.db, async (tx) => {
      await identity.audit(tx, { vo: 'demo', actor: 'mika', action: 'test.failed', target: 'x' })
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await identity.auditLog('demo', { action: 'test.failed' })).toEqual([])
    expect((await identity.verifyAuditChain()).brokenAt).toBeNull()
  })

  test('is read by actor, target, time and page, and by its own VO only', async () => {
    clock.advance(60_000)
    const since = clock.now()
    for (let i = 0; i < 5; i++) await write('paged', i % 2 ? 'taro' : 'mika')
    expect(await identity.auditLog('demo', { target: 'paged', actor: 'taro' })).toHaveLength(2)
    expect(await identity.auditLog('demo', { since })).toHaveLength(5)
    expect(await identity.auditLog('demo', { since, until: since })).toEqual([])
    const first = await identity.auditLog('demo', { target: 'paged', limit: 2 })
    const rest = await identity.auditLog('demo', { target: 'paged', before: first[1]!.seq })
    expect(first.length + rest.length).toBe(5)
    expect(await identity.auditLog('other', { action: 'test.*' })).toEqual([])
  })

  test('cannot be changed, and tells when somebody did it all the same', async () => {
    const { db } = database
    await expect(sql`update audit set actor = 'nobody'`.execute(db)).rejects.toThrow(/append-only/)
    await expect(sql`delete from audit`.execute(db)).rejects.toThrow(/append-only/)
    await expect(sql`truncate audit`.execute(db)).rejects.toThrow(/append-only/)
    const [entry] = await identity.auditLog('demo', { action: 'test.*' })
    const tamper = async (change: string) => {
      const { brokenAt } = await transaction(db, async (tx) => {
        await sql`alter table audit disable trigger audit_append_only`.execute(tx)
        await sql.raw(change).execute(tx)
        await sql`alter table audit enable trigger audit_append_only`.execute(tx)
        return { brokenAt: null }
      }).then(() => identity.verifyAuditChain())
      return brokenAt
    }
    expect(await tamper(`update audit set detail = '{}' where seq = ${entry!.seq}`)).toBe(entry!.seq)
    expect(await tamper(`update audit set detail = '{"数":1}' where seq = ${entry!.seq}`)).toBeNull()
    expect(await tamper(`delete from audit where seq = ${entry!.seq - 3n}`)).toBe(entry!.seq - 3n)
  })
})
