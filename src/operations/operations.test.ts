import { describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { createRseTable } from '../catalog/index.ts'
import { createCa } from '../identity/x509/certificates.ts'
import { sql, systemClock } from '../kernel/index.ts'
import { storagesInUse } from '../transfer/index.ts'
import {
  announceDowntime,
  downtimeLines,
  linkLines,
  nowPicture,
  ruleExplanation,
  ruleLines,
  transferExplanation,
  transferLines,
} from './index.ts'
import type { RepositoryCareRow } from './software.store.ts'
import { gatewaySoftware, softwareConcerns } from './software.ts'

const now = new Date('2026-11-21T04:00:00Z')
const RULE = '00000000-0000-4000-8000-000000000001'
const TRANSFER = '00000000-0000-4000-8000-000000000002'

describe('pictures of the present', () => {
  const database = testDatabase()

  test('a stuck rule, its failing link and its silent site are told with their reasons', async () => {
    await sql`
      with v as (insert into vo values ('demo', 'Demo', '/demo', ${now}) returning id)
      insert into account (uuid, vo, name, kind, created_at, updated_at)
      select gen_random_uuid(), v.id, 'dataops', 'USER', ${now}, ${now} from v`.execute(database.db)
    await sql`
      insert into site (vo, name, title, country, latitude, longitude, created_at) values
        ('demo', 'kek', 'KEK', 'JP', 36, 140, ${now}), ('demo', 'osaka', 'Osaka', 'JP', 34, 135, ${now})`.execute(
      database.db,
    )
    await sql`
      insert into gateway (site_id, name, client_id, endpoint, registered_at, last_seen_at, report)
      select id, name, 'gateway:' || name, 'https://localhost:' || (7450 + id), ${now},
        ${now}::timestamptz - case name when 'osaka' then interval '5 minutes' else interval '2 seconds' end,
        '{"areas":[{"path":"/demo","totalBytes":1000,"usedBytes":100,"files":2}]}' from site`.execute(
      database.db,
    )
    await sql`
      insert into rse (uuid, vo, name, created_at, updated_at)
      select gen_random_uuid(), 'demo', upper(name) || '-DISK', ${now}, ${now} from site`.execute(database.db)
    await sql`
      insert into rse_protocol (rse_id, scheme, hostname, port, prefix, impl, domains)
      select r.id, 'https', 'localhost', 7450 + s.id, '/demo/', 'x', '{}' from rse r join site s on upper(s.name) || '-DISK' = r.name`.execute(
      database.db,
    )
    await sql`insert into scope (vo, name, account_id, created_at) select 'demo', 'raw', id, ${now} from account`.execute(
      database.db,
    )
    await sql`
      insert into file (id, scope_id, name, bytes, account_id, created_at)
      select n, s.id, 'f' || n, 100, s.account_id, ${now} from scope s, generate_series(1, 2) n`.execute(
      database.db,
    )
    await sql`
      insert into collection (id, scope_id, name, kind, account_id, n_files, bytes, created_at, updated_at)
      select 10, id, 'run-1', 'D', account_id, 1, 100, ${now}, ${now} from scope`.execute(database.db)
    await sql`insert into counter_delta (kind, key1, d_files, d_bytes) values ('collection', 10, 1, 100)`.execute(
      database.db,
    )
    await sql`insert into content values (10, 1), (10, 2)`.execute(database.db)
    await sql`insert into replica (file_id, rse_id, state) select f.id, r.id, 'A' from file f, rse r where r.name = 'KEK-DISK'`.execute(
      database.db,
    )
    await sql`insert into collection_replica select 10, id, 2, 200 from rse where name = 'KEK-DISK'`.execute(
      database.db,
    )
    await sql`
      insert into rule (id, vo, target_id, target_kind, account_id, rse_expression, copies, state, created_at, updated_at, stuck_at)
      select ${RULE}::uuid, 'demo', 10, 'D', id, 'OSAKA-DISK', 1, 'STUCK', ${now}, ${now}, ${now} from account`.execute(
      database.db,
    )
    await sql`insert into placement select ${RULE}::uuid, 10, id from rse where name = 'OSAKA-DISK'`.execute(
      database.db,
    )
    await sql`
      insert into placement_gap (rule_id, file_id, rse_id, state, attempts, last_error, next_try, created_at)
      select ${RULE}::uuid, 1, id, 'failed', 3, '{"message":"connection refused"}', ${now}, ${now} from rse where name = 'OSAKA-DISK'`.execute(
      database.db,
    )
    await sql`
      insert into transfer (id, vo, file_id, dst_rse_id, src_rse_id, bytes, state, attempt, not_before, deadline, last_error, created_at)
      select ${TRANSFER}::uuid, 'demo', 1, d.id, s.id, 100, 'queued', 3, ${now}::timestamptz + interval '1 minute', ${now},
        '{"message":"connection refused"}', ${now}
      from rse s, rse d where s.name = 'KEK-DISK' and d.name = 'OSAKA-DISK'`.execute(database.db)

    const picture = await nowPicture(database.db, now, 'demo')
    expect(picture.attention.map((item) => item.kind)).toEqual(['site', 'rule'])
    expect(picture.totals).toMatchObject({
      datasets: 1n,
      files: 2n,
      safeFiles: 0n,
      rulesStuck: 1n,
      transfersRetrying: 1n,
    })
    expect(picture.sites.map(({ name, state, storages }) => [name, state, storages])).toEqual([
      ['kek', 'ok', ['KEK-DISK']],
      ['osaka', 'down', ['OSAKA-DISK']],
    ])
    const [rule] = await ruleLines(database.db, 'demo', { account: 'dataops', state: 'STUCK', limit: 10 })
    expect(rule).toMatchObject({ files: 2n, failed: 1n, missing: 0n, reason: 'connection refused' })
    const explained = await ruleExplanation(database.db, 'demo', RULE)
    expect(explained.placements).toMatchObject([{ storage: 'OSAKA-DISK', files: 2n, missing: 1n }])
    expect(explained.reasons).toEqual([{ message: 'connection refused', count: 1, storages: ['OSAKA-DISK'] }])
    expect(explained.gaps[0]?.transfer).toBe(TRANSFER)

    expect(await linkLines(database.db, now, 'demo')).toMatchObject([
      { source: 'KEK-DISK', sourceSite: 'kek', failed: 1n },
    ])
    for (const list of ['active', 'done'] as const) {
      expect(await transferLines(database.db, 'demo', { list, limit: 10 })).toEqual([])
    }
    for (const list of ['queued', 'failed'] as const) {
      const found = await transferLines(database.db, 'demo', {
        list,
        source: 'KEK-DISK',
        destination: 'OSAKA-DISK',
        limit: 10,
      })
      expect(found).toMatchObject([{ name: 'f1', state: 'retrying', error: 'connection refused' }])
    }
    const why = await transferExplanation(database.db, now, 'demo', TRANSFER)
    expect(why).toMatchObject({ because: 'retry_later', sources: [{ storage: 'KEK-DISK', readable: true }] })

    const until = new Date(now.getTime() + 60_000)
    await sql`insert into storage_fault (rse_id, side, since, blocked_until, pause_ms, reason)
      select id, 'destination', ${now}, ${until}, 60000, 'connection refused' from rse where name = 'OSAKA-DISK'`.execute(
      database.db,
    )
    expect(await transferExplanation(database.db, now, 'demo', TRANSFER)).toMatchObject({
      because: 'link_blocked',
      link: { blockedUntil: until, blockedReason: 'OSAKA-DISK: connection refused' },
    })
    expect(await linkLines(database.db, until, 'demo')).toMatchObject([{ blockedUntil: null }])
  })

  test('a transfer to a storage in downtime waits, and tells for what and until when', async () => {
    const until = new Date(now.getTime() + 7_200_000)
    const { id } = await announceDowntime(database.db, now, {
      ...{ vo: 'demo', site: 'osaka', storage: 'OSAKA-DISK', resource: null, severity: 'OUTAGE' },
      ...{ startsAt: now, endsAt: until, reason: 'new disks', madeBy: 'noa' },
    })
    expect(await transferExplanation(database.db, now, 'demo', TRANSFER)).toMatchObject({
      because: 'downtime',
      downtime: { name: 'OSAKA-DISK', until, reason: 'new disks' },
    })
    const inUse = storagesInUse({
      ...{ db: database.db, rses: createRseTable(database.db) },
      clock: { ...systemClock, now: () => now },
    })
    await sql`insert into rse_attribute (rse_id, key, value)
      select id, 'site', to_jsonb(lower(split_part(name, '-', 1))) from rse`.execute(database.db)
    expect(await inUse('demo', 'OSAKA-DISK')).toBe(false)
    expect(await inUse('demo', 'KEK-DISK')).toBe(true)
    await expect(
      announceDowntime(database.db, now, {
        ...{ vo: 'demo', site: 'kek', storage: 'OSAKA-DISK', resource: null, severity: 'OUTAGE' },
        ...{ startsAt: now, endsAt: until, reason: 'x', madeBy: 'noa' },
      }),
    ).rejects.toMatchObject({ code: 'operations.not_at_site' })
    expect(await downtimeLines(database.db, now, 'demo', undefined)).toMatchObject([{ id, state: 'present' }])
  })

  test('an unknown rule is missing', async () => {
    await expect(
      ruleExplanation(database.db, 'demo', '00000000-0000-4000-8000-00000000000f'),
    ).rejects.toThrow('There is no rule')
  })
})

describe('software at sites', () => {
  const days = (n: number) => new Date(now.getTime() + n * 86_400_000)
  const care = (more: Partial<RepositoryCareRow>): RepositoryCareRow => ({
    ...{ name: 'koto.example.org', revision: 5n, publishedAt: days(-1), whitelistExpiresAt: days(20) },
    ...{ certificatePem: null, mirror: false, verifiedAt: null, failure: null },
    ...more,
  })
  const report = (revision: number, seconds = 2) => ({
    ...{ site: 'kek', gateway: 'gw', lastSeenAt: new Date(now.getTime() - seconds * 1000) },
    software: {
      ...{ hits: 9, misses: 1, evictions: 0, bytes: 100, mostBytes: 1000 },
      revisions: { 'koto.example.org': revision, 'gone.example.org': 1 },
    },
  })
  const problems = (repositories: RepositoryCareRow[], gateways: ReturnType<typeof gatewaySoftware> = []) =>
    softwareConcerns(now, repositories, gateways).map(({ problem }) => problem)

  test('is behind by the revisions that clients of a gateway do not see', () => {
    const silent = { site: 'anl', gateway: 'none', lastSeenAt: now, software: null }
    const found = gatewaySoftware(now, [report(3), silent], [care({})])
    expect(found).toMatchObject([
      { gateway: 'gw', alive: true, repositories: [{ name: 'koto.example.org', revision: 3, behind: 2 }] },
    ])
    expect(problems([care({})], found)).toEqual(['behind'])
    expect(problems([care({ publishedAt: now })], found)).toEqual([])
    expect(problems([care({})], gatewaySoftware(now, [report(5)], [care({})]))).toEqual([])
    expect(problems([care({})], gatewaySoftware(now, [report(3, 60)], [care({})]))).toEqual([])
  })

  test('needs somebody before its signatures end, and when an original is not heard of', () => {
    expect(problems([care({})])).toEqual([])
    expect(problems([care({ whitelistExpiresAt: null })])).toEqual(['no_whitelist'])
    expect(problems([care({ whitelistExpiresAt: days(6) })])).toEqual(['whitelist_ends'])
    expect(problems([care({ whitelistExpiresAt: days(6), mirror: true })])).toEqual([])
    expect(problems([care({ whitelistExpiresAt: days(0.5), mirror: true })])).toEqual(['whitelist_ends'])
    expect(problems([care({ failure: 'away', verifiedAt: days(-0.05) })])).toEqual([])
    expect(
      problems([care({ failure: 'away', verifiedAt: days(-1) }), care({ whitelistExpiresAt: days(-1) })]),
    ).toEqual(['whitelist_ended', 'not_verified'])
  })

  test('signs with a key that somebody renews in time', async () => {
    const { certificatePem } = await createCa({ name: 'signs', now })
    expect(problems([care({ certificatePem })])).toEqual([])
    const later = new Date(now.getTime() + 3_600 * 86_400_000)
    const known = care({ certificatePem, whitelistExpiresAt: new Date(later.getTime() + 20 * 86_400_000) })
    expect(softwareConcerns(later, [known], []).map(({ problem }) => problem)).toEqual(['key_ends'])
  })
})
