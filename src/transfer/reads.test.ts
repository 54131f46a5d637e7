import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { readsOf } from '../../test/harness/reads.ts'
import { sql } from '../kernel/index.ts'
import { dueQueues, insertTransfers, lockQueued, nextDue } from './transfer.store.ts'

const database = testDatabase()
const now = new Date('2026-11-21T00:00:00Z')
const QUEUED = 100_000
const DESTINATIONS = [1, 2, 3]
const QUEUES = ['1a', '1b', '2a', '2b', '3a', '3b']

beforeAll(async () => {
  const transfers = Array.from({ length: QUEUED }, (_, i) => ({
    ...{
      id: randomUUID(),
      fileId: BigInt(i),
      dstRseId: DESTINATIONS[i % 3]!,
      bytes: 1n,
      activity: i % 2 ? 'a' : 'b',
    },
    ...{ priority: 1 + (i % 5), overwrite: false, sourceExpression: null, madeReplica: false },
  }))
  await insertTransfers(database.db, { vo: 'demo', now, deadline: now, transfers })
})

for (const analyzed of [false, true]) {
  test(`a claim looks at what it takes, however long the queue, ${analyzed ? 'analyzed' : 'just filled'}`, async () => {
    if (analyzed) await sql`analyze`.execute(database.db)
    let taken = 0
    const reads = await readsOf(database.db, async (tx) => {
      const queues = await dueQueues(tx, now)
      expect(queues.map(({ rseId, activity }) => `${rseId}${activity}`)).toEqual(QUEUES)
      const rows = await lockQueued(tx, { queues, perQueue: 50, now })
      taken = rows.length
      await nextDue(tx, now)
    })
    expect(taken).toBe(300)
    expect(reads.whole).toEqual([])
    expect(reads.entries).toBeLessThan(QUEUED / 100)
  })
}
