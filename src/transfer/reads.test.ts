import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { readsOf } from '../../test/harness/reads.ts'
import { sql } from '../kernel/index.ts'
import { dueDestinations, insertTransfers, lockQueued, nextDue } from './transfer.store.ts'

const database = testDatabase()
const now = new Date('2026-11-21T00:00:00Z')
const QUEUED = 100_000
const DESTINATIONS = [1, 2, 3]

beforeAll(async () => {
  const transfers = Array.from({ length: QUEUED }, (_, i) => ({
    ...{ id: randomUUID(), fileId: BigInt(i), dstRseId: DESTINATIONS[i % 3]!, bytes: 1n, activity: 'test' },
    ...{ priority: 1 + (i % 5), overwrite: false, sourceExpression: null, madeReplica: false },
  }))
  await insertTransfers(database.db, { vo: 'demo', now, deadline: now, transfers })
})

for (const analyzed of [false, true]) {
  test(`a claim looks at what it takes, however long the queue, ${analyzed ? 'analyzed' : 'just filled'}`, async () => {
    if (analyzed) await sql`analyze`.execute(database.db)
    let taken = 0
    const reads = await readsOf(database.db, async (tx) => {
      expect((await dueDestinations(tx, now)).map(({ rseId }) => rseId)).toEqual(DESTINATIONS)
      const rows = await lockQueued(tx, { rseIds: DESTINATIONS, perDestination: 100, now })
      taken = rows.length
      await nextDue(tx, now)
    })
    expect(taken).toBe(300)
    expect(reads.whole).toEqual([])
    expect(reads.entries).toBeLessThan(QUEUED / 100)
  })
}
