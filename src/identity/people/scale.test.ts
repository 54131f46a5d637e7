import type { KyselyPlugin, RawNode } from 'kysely'
import { beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../../../test/harness/database.ts'
import { testIdentity } from '../../../test/harness/identity.ts'
import { type Db, sql, virtualClock } from '../../kernel/index.ts'
import { selectMemberships } from '../accounts/groups.store.ts'
import type { Condition, Group, Identity } from '../index.ts'
import { selectEntries } from './audit.store.ts'
import { personFields, predicate } from './condition.store.ts'
import { selectLabels } from './labels.store.ts'
import { selectEnding } from './lifecycle.store.ts'
import { personByName, personByUuid, selectMembers, selectPeople, usersOfEmails } from './people.store.ts'
import { selectRequests } from './requests.store.ts'
import { selectStandings } from './standing.store.ts'

const PEOPLE = 100_000

describe(`a VO of ${PEOPLE} people`, { timeout: 120_000 }, () => {
  const database = testDatabase()
  const clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
  let identity: Identity
  let crowd: Group

  beforeAll(async () => {
    const { db } = database
    identity = await testIdentity(database, clock)
    crowd = (await identity.createGroups('demo', [{ path: '/demo/crowd' }]))[0]!
    const now = clock.now()
    await sql`insert into account (uuid, vo, name, kind, given_name, family_name, created_at, updated_at, end_time)
      select gen_random_uuid(), 'demo', 'u' || n, 'USER', 'Given' || n, 'Family' || n % 1000, ${now}, ${now},
        case when n % 10000 = 0 then ${now}::timestamptz - interval '1 day' end from generate_series(1, ${PEOPLE}) n`.execute(
      db,
    )
    await sql`insert into email (account_id, address, is_primary) select id, name || '@example.org', true from account`.execute(
      db,
    )
    await sql`insert into membership (account_id, grp_id, since)
      select a.id, g.id, ${now} from account a join grp g on g.vo = a.vo and g.path in ('/demo', '/demo/crowd')`.execute(
      db,
    )
    await sql`insert into label (account_id, prefix, name, value) select id, 'voms.demo', 'id', id::text from account`.execute(
      db,
    )
    await identity.publishPolicy('demo', { url: 'https://example.org' }, 'x')
    await sql`insert into policy_signature (account_id, vo, version, signed_at, signed_by) select id, vo, 1, ${now}, name from account`.execute(
      db,
    )
    await sql`insert into audit (at, vo, actor, action, target, detail)
      select ${now}, 'demo', 'x', 'account.created', name, '{}' from account where id % 20 = 0`.execute(db)
    await sql`analyze`.execute(db)
  }, 120_000)

  test('shows every member of a group page by page, none twice and none missed', async () => {
    const seen = new Set<string>()
    const began = performance.now()
    for (let offset = 0; ; offset += 1000) {
      const { total, items } = await identity.membersOf(crowd, { offset, limit: 1000 })
      expect(total).toBe(PEOPLE)
      for (const { uuid } of items) seen.add(uuid)
      if (items.length < 1000) break
    }
    console.log(`${seen.size} members in pages of 1000: ${Math.round(performance.now() - began)} ms`)
    expect(seen.size).toBe(PEOPLE)
  })

  test('answers what is asked often from indexes', async () => {
    const plans: string[] = []
    const db = explaining(database.db, plans)
    const now = clock.now()
    const one = await identity.account('demo', 'u77777')
    const by = (condition: Condition) =>
      selectPeople(db, 'demo', predicate(condition, personFields), { offset: 0, limit: 10 }, now)
    const is = (field: string, value: string): Condition => ({ field, test: 'eq', value })
    const questions: Record<string, () => Promise<unknown>> = {
      'by name': () => personByName(db, 'demo', one.name),
      'by subject': () => personByUuid(db, 'demo', one.uuid),
      'by name, as a filter': () => by(is('username', one.name)),
      'by id, as a filter': () => by(is('id', one.uuid)),
      'by address': () => by({ some: 'emails', where: is('address', 'U77777@example.org') }),
      'by label': () => by({ some: 'labels', where: { all: [is('name', 'id'), is('value', '77777')] } }),
      'whose address': () => usersOfEmails(db, 'demo', ['u5@example.org'], null),
      standing: () => selectStandings(db, [one.id]),
      memberships: () => selectMemberships(db, [one.id], now),
      labels: () => selectLabels(db, 'account', [one.id]),
      'a page of members': () => selectMembers(db, crowd.id, { offset: 0, limit: 100 }, now),
      'ended memberships': () => selectEnding(db, 'demo', now),
      'open requests': () =>
        selectRequests(db, 'demo', { kind: 'group', states: ['PENDING'] }, { offset: 0, limit: 100 }),
      'audit of one': () => selectEntries(db, 'demo', { target: 'u77779', limit: 100 }),
    }
    for (const [what, ask] of Object.entries(questions)) {
      plans.length = 0
      await ask().catch(() => undefined)
      const scanned = [...(plans.join('\n').matchAll(/Seq Scan on (\w+)/g) ?? [])].map((match) => match[1])
      const large = scanned.filter((table) =>
        /^(account|email|membership|label|policy_signature|audit)$/.test(table!),
      )
      expect([what, plans.length, large]).toEqual([what, 1, []])
    }
  })

  test('searches a part of a name among them, and counts', async () => {
    const began = performance.now()
    const { total, items } = await identity.searchPeople(
      'demo',
      { offset: 0, limit: 10 },
      {
        any: [
          { field: 'fullName', test: 'co', value: 'ven77777 fam' },
          { some: 'emails', where: { field: 'address', test: 'co', value: '77777@' } },
        ],
      },
    )
    console.log(`part of a name among ${PEOPLE}: ${Math.round(performance.now() - began)} ms`)
    expect([total, items[0]?.username]).toEqual([1, 'u77777'])
  })

  test('proves its audit log', async () => {
    const began = performance.now()
    const verdict = await identity.verifyAuditChain()
    console.log(`${verdict.entries} entries verified: ${Math.round(performance.now() - began)} ms`)
    expect(verdict.brokenAt).toBeNull()
  })
})

/** Statements are explained instead of run; their plans are collected, and they answer no rows. */
function explaining(db: Db, plans: string[]): Db {
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      const raw = node as RawNode
      const [first = '', ...rest] = raw.sqlFragments
      return { ...raw, sqlFragments: [`explain ${first}`, ...rest] }
    },
    async transformResult({ result }) {
      plans.push(result.rows.map((line) => String(line['QUERY PLAN'])).join('\n'))
      return { ...result, rows: [] }
    },
  }
  return db.withPlugin(plugin)
}
