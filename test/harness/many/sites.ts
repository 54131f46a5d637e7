import { type Db, sql } from '../../../src/kernel/index.ts'
import { addSites } from '../site-rows.ts'
import { chance, oneOf } from './chance.ts'

/** Sites that nobody can reach, with places that take as many pilots as run there: no job of these rows ever starts. */
export const SITES = [
  ...[
    'bari',
    'beijing',
    'bologna',
    'bonn',
    'bratislava',
    'canberra',
    'catania',
    'cracow',
    'daegu',
    'frascati',
  ],
  ...[
    'gwangju',
    'hamburg',
    'hanoi',
    'heidelberg',
    'honolulu',
    'indore',
    'istanbul',
    'karlsruhe',
    'kyoto',
    'legnaro',
  ],
  ...[
    'ljubljana',
    'lyon',
    'mainz',
    'maribor',
    'marseille',
    'melbourne',
    'montreal',
    'mumbai',
    'nagoya',
    'naples',
  ],
  ...['niigata', 'padua', 'perugia', 'pisa', 'prague', 'richland', 'rome', 'sendai', 'seoul', 'strasbourg'],
  ...['sydney', 'taipei', 'turin', 'upton', 'vancouver', 'victoria', 'vienna', 'wellington'],
]
/** Two of them do not answer, and one spoils most of what it gets. */
export const SILENT = ['hanoi', 'indore']
export const ILL = 'marseille'
export const PILOTS_A_SITE = 400
/** Places with it are the only ones that could take these jobs. */
export const TAG = 'many'

const HOUR = sql.lit('1 hour')
const list = sql`unnest(${SITES}::text[]) with ordinality as n(name, i)`
const EXPLANATIONS = ['connection refused', 'checksum differs: adler32 8f1c01aa', 'no answer within 30 s']

/** Sites with gateway, storage and place, tested every half an hour, with downtimes, exclusions and states of two days. */
export async function manySites(db: Db, now: Date): Promise<void> {
  await addSites(db, now, SITES, {
    ...{
      title: sql`initcap(name) || ' University'`,
      country: oneOf('i', 1, ['JP', 'IT', 'DE', 'FR', 'CA', 'AU']),
    },
    ...{
      latitude: sql`-40 + 100 * ${chance('i', 2)}`,
      longitude: sql`-130 + 280 * ${chance('i', 3)}`,
      domain: 'invalid',
    },
    report: sql`jsonb_build_object('rssBytes', 1.2e8, 'areas', jsonb_build_array(jsonb_build_object('path', '/data',
        'totalBytes', 4e15, 'usedBytes', 3.7e15 * ${chance('i', 4)}, 'files', 900000)))`,
    ...{ kind: oneOf('i', 5, ['slurm', 'arc']), tags: [TAG], seconds: 172_800, cores: 1, diskMb: 20_000 },
    ...{ maxPilots: PILOTS_A_SITE, maxWaiting: 20 },
  })
  await tests(db, now)
  await sql`insert into downtime (vo, site, severity, starts_at, ends_at, reason, made_by, made_at)
    select 'demo', name, ${oneOf('i', 6, ['OUTAGE', 'WARNING'])}, ${now}::timestamptz + (k - 5) * 14 * interval ${HOUR},
      ${now}::timestamptz + ((k - 5) * 14 + 6) * interval ${HOUR}, ${oneOf('i', 7, ['cooling', 'network', 'new kernel'])},
      'site.' || name, ${now} from ${list} cross join generate_series(0, 9) k where i % 8 = 0`.execute(db)
  await sql`insert into exclusion (vo, site, action, reason, made_by, made_at, until)
    select 'demo', name, ${oneOf('i', 8, ['exclude', 'throttle', 'keep'])}, 'the door is being moved to new hardware', 'admin',
      ${now}::timestamptz - interval ${HOUR}, ${now}::timestamptz + 20 * interval ${HOUR} from ${list} where i % 11 = 0`.execute(
    db,
  )
  await sql`insert into site_change (vo, site, at, state, reason, explanation)
    select 'demo', name, ${now}::timestamptz - k * 3 * interval ${HOUR},
      case when ${chance('i * 100 + k', 9)} < 0.15 then 'down' else 'ok' end, null, null
    from ${list} cross join generate_series(1, 16) k`.execute(db)
}

/** Two days of tests; the next are a week ahead, for nobody would answer. */
const tests = async (db: Db, now: Date): Promise<void> => {
  await sql`insert into probe (vo, kind, name, site, next_at)
    select 'demo', kind, case kind when 'storage' then upper(name) || '-DISK' else name end, name,
      ${now}::timestamptz + interval '7 days' from ${list} cross join unnest('{door,job,storage}'::text[]) kind`.execute(
    db,
  )
  await sql`insert into active_test (vo, site, kind, name, test, at, ok, counts, ms, message, offset_ms)
    select 'demo', site, kind, name, test, at, ok, true, ms, case when ok then '' else ${oneOf('x', 10, EXPLANATIONS)} end,
      case when test = 'clock' then 40 * ${chance('x', 11)} end
    from (
      select n.name as site, t.kind, case t.kind when 'site' then n.name else upper(n.name) || '-DISK' end as name, t.test,
        ${now}::timestamptz - k * interval '30 min' as at, n.i * 1000 + k * 10 + t.j as x,
        ${chance('n.i * 1000 + k * 10 + t.j', 12)} > 0.03 as ok, (20 + 2000 * ${chance('n.i * 1000 + k * 10 + t.j', 13)})::int as ms
      from ${list} cross join generate_series(0, 95) k cross join (values (1, 'site', 'port'), (2, 'site', 'clock'),
        (3, 'site', 'job'), (4, 'storage', 'put'), (5, 'storage', 'get'), (6, 'storage', 'checksum'), (7, 'storage', 'list'),
        (8, 'storage', 'delete')) as t(j, kind, test)) x`.execute(db)
}

/** What the gateways would say of themselves every few seconds. */
export const sitesReport = (db: Db, now: Date) =>
  sql`update gateway set last_seen_at = ${now} where name = any(${SITES}::text[]) and name <> all(${SILENT}::text[])`.execute(
    db,
  )
