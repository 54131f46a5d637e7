import { randomUUID } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { type Db, row, rows, sql } from '../kernel/index.ts'
import { addCollections, addRse, createScope, listReplicas } from './index.ts'
import {
  copiesOfFiles,
  filesById,
  membersSeenBefore,
  pageOfDataset,
  readByKeys,
} from './replica-list.store.ts'

const database = testDatabase()
const now = new Date('2026-11-21T00:00:00Z')
const vo = 'demo'
const scope = 'belle'
const FILES = 200_000
let datasets: bigint[]

beforeAll(async () => {
  const { db } = database
  const { id: scopeId } = await createScope(db, { vo, now, name: scope, accountId: 1 })
  const rseIds = [
    await addRse(db, { vo, now, uuid: randomUUID(), name: 'KEK' }),
    await addRse(db, { vo, now, uuid: randomUUID(), name: 'OSAKA' }),
  ].map((rse) => rse.id)
  const collections = ['a', 'b'].map((name) => ({ scope, name, kind: 'DATASET' as const }))
  datasets = (await addCollections(db, { vo, now, accountId: 1, collections })).map((d) => d.id)
  await sql`insert into file (scope_id, name, bytes, account_id, created_at)
    select ${scopeId}, 'f' || i, 10, 1, ${now} from generate_series(1, ${FILES}::int) i`.execute(db)
  await sql`insert into replica (file_id, rse_id, state)
    select f.id, r.id, 'A' from file f cross join unnest(${rseIds}::int[]) r(id) where not f.is_collection`.execute(
    db,
  )
  // The first dataset holds every file, the second half of them.
  await sql`insert into content (parent_id, child_id) select d.id, f.id
    from file f cross join unnest(${datasets}::bigint[]) d(id)
    where not f.is_collection and (d.id = ${datasets[0]!} or f.id % 2 = 0)`.execute(db)
}, 120_000)

/** Tables a plan reads from end to end, and the rows its nodes made in all. */
async function planOf(db: Db, query: ReturnType<typeof sql>): Promise<{ whole: string[]; rows: number }> {
  interface Node {
    'Node Type': string
    'Relation Name'?: string
    'Actual Rows': number
    'Actual Loops': number
    Plans?: Node[]
  }
  const found = await row(
    db,
    sql<{ 'QUERY PLAN': { Plan: Node }[] }>`explain (analyze, format json) ${query}`,
  )
  const whole: string[] = []
  let most = 0
  const visit = (node: Node): void => {
    if (node['Node Type'] === 'Seq Scan' && node['Actual Loops'] > 0) whole.push(node['Relation Name'] ?? '')
    most = Math.max(most, node['Actual Rows'] * node['Actual Loops'])
    for (const child of node.Plans ?? []) visit(child)
  }
  visit(found!['QUERY PLAN'][0]!.Plan)
  return { whole: whole.filter((table) => /^(file|content|replica)/.test(table)), rows: most }
}

test('a page of a list reads its own rows only, wherever it begins, analyzed or not', async () => {
  for (const analyzed of [false, true]) {
    if (analyzed) await sql`analyze`.execute(database.db)
    await readByKeys(database.db, async (tx) => {
      for (const limit of [100, 1000]) {
        const [first] = await rows(tx, pageOfDataset(datasets[1]!, -1n, 1))
        for (const after of [-1n, first!.fileId + 100_000n]) {
          const page = pageOfDataset(datasets[1]!, after, limit)
          const members = await rows(tx, page)
          expect(members).toHaveLength(limit)
          const ids = members.map((member) => member.fileId)
          for (const query of [
            page,
            membersSeenBefore(members, datasets),
            filesById(ids),
            copiesOfFiles(ids, {}),
            copiesOfFiles(ids, { allStates: true, updatedAfter: now }),
          ]) {
            const plan = await planOf(tx, query)
            expect(plan.whole).toEqual([])
            expect(plan.rows).toBeLessThanOrEqual(limit * 2)
          }
        }
      }
    })
  }
})

test('a long list comes complete, each file once', async () => {
  const seen = new Set<bigint>()
  let copies = 0
  const dids = ['a', 'b'].map((name) => ({ scope, name }))
  for await (const page of listReplicas(database.db, { vo, dids })) {
    for (const file of page) {
      seen.add(file.fileId)
      copies += file.replicas.length
    }
  }
  expect([seen.size, copies]).toEqual([FILES, 2 * FILES])
}, 120_000)
