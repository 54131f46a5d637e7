import { type Db, row, sql } from '../../../src/kernel/index.ts'
import { chance, oneOf } from './chance.ts'
import { ILL, PILOTS_A_SITE, SITES, TAG } from './sites.ts'

const USERS = 200
const QUEUES = 2000
/** So many jobs come one after the other from one submission, and five from one pilot. */
const SUBMISSION = 100
/** The first of so many users are those in whose name productions run. */
const MANAGERS = 80
const MEGABYTE = 1024 * 1024

const REASONS = [
  'Payload exited with code 1',
  'Payload exited with code 139 (signal 11)',
  'Input raw.physics.e0026.r00101.f00012 could not be fetched: connection reset by peer',
  'Output mdst.root could not be stored: no space left on device',
  'The job used 4312 MB, more than 4096 MB',
  'The pilot was silent for 45 minutes',
]
const FAMILIES = ['abe', 'bauer', 'conti', 'dubois', 'evans', 'fujii', 'gupta', 'horvat', 'ito', 'kim']
const owner = (u: string) =>
  sql`(${oneOf(u, 21, FAMILIES)} || '.' || chr(97 + ${sql.raw(u)} % 26) || (${sql.raw(u)} / 26)::text)`

export interface ManyJobs {
  /** The first of the jobs; the others follow without a gap. */
  readonly first: bigint
  readonly count: number
}

/**
 * So many jobs as two days of a busy grid leave them: five in a hundred wait, two are with pilots, the others ended at
 * many sites, with their starts, events, pilots, counts and their history. The newest that failed wrote a long log.
 */
export async function manyJobs(db: Db, now: Date, count: number): Promise<ManyJobs> {
  await queuesAndBodies(db, now, count)
  const first = await pilotsAndJobs(db, now, count)
  await starts(db, now, { first, count })
  await counts(db, now)
  await log(db, first)
  return { first, count }
}

async function queuesAndBodies(db: Db, now: Date, count: number): Promise<void> {
  await sql`insert into job_queue (vo, key, owner_id, owner, group_name, job_type, demand, created_at)
    select 'demo', sha256(('many ' || q)::bytea), 100000 + q % ${sql.lit(USERS)}, ${owner(`(q % ${USERS})`)},
      case when q % ${sql.lit(USERS)} < ${sql.lit(MANAGERS)} then '/demo/production'
        else ${oneOf('q', 22, ['/demo', '/demo/analysis', '/demo/charm', '/demo/tau'])} end,
      case when q % ${sql.lit(USERS)} < ${sql.lit(MANAGERS)} then ${oneOf('q', 23, ['MCSimulation', 'MCReconstruction', 'Merge'])}
        else 'User' end,
      jsonb_build_object('seconds', 86400, 'cores', 1, 'memoryMb', 256 * (1 + q % 16), 'diskMb', 1024 * (1 + q / 200),
        'platform', null, 'tags', ${JSON.stringify([TAG])}::jsonb, 'sites', null, 'banned', '[]'::jsonb), ${now}
    from generate_series(1, ${QUEUES}::int) q`.execute(db)
  await sql`insert into job_body (vo, job_group, spec, created_at)
    select 'demo', 'group-' || b, jsonb_build_object('executable', 'analyse.py', 'arguments', '["%n", "--tag", "mc16"]'::jsonb,
        'environment', '{}'::jsonb, 'files', jsonb_build_array(jsonb_build_object('name', 'analyse.py', 'executable', true,
          'content', encode(repeat('print("events")' || chr(10), 200)::bytea, 'base64'))),
        'inputSandboxes', '[]'::jsonb, 'outputSandbox', '[]'::jsonb, 'standardOutput', '', 'standardError', '',
        'outputs', '[]'::jsonb, 'destination', null, 'readFromAfar', false, 'tries', 3, 'jdl', null), ${now}
    from generate_series(1, ${Math.ceil(count / SUBMISSION)}::int) b order by b`.execute(db)
}

/** Jobs by the time of their submission; a pilot that ended ran five that came after each other. */
async function pilotsAndJobs(db: Db, now: Date, count: number): Promise<bigint> {
  const alive = SITES.length * PILOTS_A_SITE
  const ended = Math.ceil(count / 5)
  const place = (n: string) =>
    sql`(${SITES}::text[])[1 + floor(${sql.lit(SITES.length)} * ${chance(n, 31)} * ${chance(n, 32)})::int]`
  const submitted = sql`${now}::timestamptz - interval '48 h' * (1 - i / ${count}::float8)`
  await sql`create temp table many_pilot on commit drop as
    select nextval(pg_get_serial_sequence('pilot', 'id')) as id, k, ${place('k')} as site from generate_series(1, ${ended}::int) k
    union all
    select nextval(pg_get_serial_sequence('pilot', 'id')), ${ended}::int + k, (${SITES}::text[])[1 + k % ${sql.lit(SITES.length)}]
    from generate_series(1, ${alive}::int) k`.execute(db)
  await sql`create unique index on many_pilot (k)`.execute(db)
  await sql`create temp table many_job on commit drop as
    select nextval(pg_get_serial_sequence('job', 'id')) as id, i, p.id as pilot, p.site, submitted,
      submitted + interval '30 min' * ${chance('i', 33)} as started,
      submitted + interval '30 min' * ${chance('i', 33)} + interval '10 min' + interval '130 min' * ${chance('i', 34)} as ended,
      case
        when i > ${count}::int * 0.95 then case when ${chance('i', 35)} < 0.01 then 16 when ${chance('i', 35)} < 0.02 then 1 else 5 end
        when i > ${count}::int * 0.93 then case when ${chance('i', 35)} < 0.02 then 6 when ${chance('i', 35)} < 0.03 then 9
          when ${chance('i', 35)} < 0.05 then 10 else 8 end
        when p.site = ${ILL} and submitted > ${now}::timestamptz - interval '10 h' and ${chance('i', 35)} < 0.6 then 13
        when ${chance('i', 35)} < 0.06 then 13 when ${chance('i', 35)} < 0.08 then 14 else 12 end::smallint as state
    from (select i, ${submitted} as submitted, case when i > ${count}::int * 0.93 then ${ended}::int + 1 + i % ${alive}::int
        else (i + 4) / 5 end as k from generate_series(1, ${count}::int) i) j join many_pilot p using (k) order by i`.execute(
    db,
  )
  await sql`insert into pilot (id, stamp, vo, resource_id, site, resource, state, created_at, seen_at, ended_at, deadline, jobs)
    overriding system value
    select p.id, 'many-' || p.id, 'demo', r.id, p.site, r.name, case when p.k > ${ended}::int then 'Running'
        when ${chance('p.k', 36)} < 0.03 then 'Aborted' else 'Done' end,
      coalesce(t.first, ${now}::timestamptz), coalesce(t.last, ${now}::timestamptz), case when p.k <= ${ended}::int then t.last end,
      case when p.k > ${ended}::int then ${now}::timestamptz + interval '7 days' end, coalesce(t.n, 0)
    from many_pilot p join compute_resource r on r.vo = 'demo' and r.name = p.site || '-farm'
    left join (select pilot, min(submitted) as first, max(ended) as last, count(*)::int as n from many_job group by 1) t
      on t.pilot = p.id`.execute(db)
  await sql`insert into job (id, vo, queue_id, body_id, owner_id, name, state, minor, application, priority, attempt, losses,
      failures, pilot_id, site, deadline, item, submitted_at, updated_at, started_at, heartbeat_at, ended_at)
    overriding system value
    select m.id, 'demo', q.id, b.id, q.owner_id, case when q.job_type = 'User' then 'tau_to_3mu_' || i / ${sql.lit(SUBMISSION)}
        else 'MC16_' || lower(q.job_type) || '_' || i / ${sql.lit(SUBMISSION)} end,
      m.state, case m.state when 12 then 'Execution Complete' when 13 then ${oneOf('i', 37, REASONS)} when 14 then 'Marked for termination'
        when 8 then 'Application Running' when 5 then 'Pilot Agent Submission' else '' end, 'Unknown', 5,
      case when m.state in (1, 5, 16) then 0 when ${chance('i', 38)} < 0.06 then 2 else 1 end,
      case when ${chance('i', 38)} < 0.06 then 1 else 0 end, case when m.state = 13 then 1 else 0 end,
      case when m.state in (6, 8, 9, 10) then m.pilot end, case when m.state not in (1, 5, 16) then m.site end,
      case when m.state < 12 or m.state = 16 then ${now}::timestamptz + interval '7 days' end,
      jsonb_build_object('n', i % ${sql.lit(SUBMISSION)}, 'parameters', '{}'::jsonb, 'inputs', jsonb_build_array(
        jsonb_build_object('scope', 'mc', 'name', 'mdst_' || lpad(i::text, 9, '0') || '.root'))),
      m.submitted, ${now}, case when m.state not in (1, 5, 16) then m.started end,
      case when m.state in (8, 9, 10) then ${now}::timestamptz end, case when m.state between 12 and 14 then m.ended end
    from many_job m
    join (select id, row_number() over (order by id) as n, owner_id, job_type from job_queue where owner_id >= 100000) q
      on q.n = 1 + (m.i / ${sql.lit(SUBMISSION)} * 7919) % ${sql.lit(QUEUES)}
    join (select id, row_number() over (order by id) as n from job_body where job_group like 'group-%') b
      on b.n = 1 + (m.i - 1) / ${sql.lit(SUBMISSION)}
    order by i`.execute(db)
  return (await row(db, sql<{ id: bigint }>`select min(id) as id from many_job`))!.id
}

async function starts(db: Db, _now: Date, { first, count }: ManyJobs): Promise<void> {
  const these = sql`j.id >= ${first}::bigint and j.id < ${first}::bigint + ${count}::int and j.attempt > 0`
  await sql`insert into job_attempt (job_id, n, pilot_id, site, resource, leased_at, started_at, ended_at, outcome, reason,
      exit_code, charged, figures)
    select j.id, n, coalesce(m.pilot, 0), j.site, j.site || '-farm', j.started_at, j.started_at,
      case when n < j.attempt then j.started_at + interval '5 min' else j.ended_at end,
      case when n < j.attempt then case when ${chance('j.id', 41)} < 0.5 then 'lost' else 'site_fault' end
        when j.state = 12 then 'done' when j.state = 14 then 'killed'
        when j.state = 13 then case when ${chance('j.id', 42)} < 0.4 then 'site_fault' else 'failed' end end,
      case when n < j.attempt or j.state = 13 then ${oneOf('j.id', 37, REASONS)} end,
      case j.state when 12 then 0 when 13 then 1 end, 3600,
      jsonb_build_object('CPUConsumed', 3000, 'WallClockTime', 3600, 'MemoryUsed', 1800, 'DiskSpace', 120)
    from job j join many_job m using (id) cross join lateral generate_series(1, j.attempt) n where ${these} order by j.id`.execute(
    db,
  )
  const step = (at: string, state: number | string, minor: string, when = 'true') =>
    sql`select j.id, 1, j.${sql.ref(at)}, ${sql.raw(String(state))}, ${sql.lit(minor)}, 'Unknown', 'many'
      from job j join many_job m using (id) where ${sql.raw(when)}`
  await sql`insert into job_event (job_id, attempt, at, state, minor, application, source)
    ${step('submitted_at', 1, 'Job accepted')} union all ${step('submitted_at', 5, 'Pilot Agent Submission')}
    union all ${step('started_at', 6, 'Assigned', 'j.attempt > 0')}
    union all ${step('started_at', 8, 'Application Running', 'j.attempt > 0')}
    union all ${step('ended_at', 'j.state', 'Execution Complete', 'j.ended_at is not null')}`.execute(db)
}

/** The kept counts, and how they were in each minute of the last two days. */
async function counts(db: Db, now: Date): Promise<void> {
  await sql`insert into job_count (queue_id, state, n, arrived)
    select j.queue_id, j.state, count(*), case when j.state between 12 and 14 then count(*) else 0 end
    from job j join many_job m using (id) group by 1, 2
    on conflict (queue_id, state) do update set n = job_count.n + excluded.n, arrived = job_count.arrived + excluded.arrived`.execute(
    db,
  )
  await sql`insert into job_site_count as c (vo, site, state, n)
    select j.vo, j.site, j.state, count(*) from job j join many_job m using (id) where j.site is not null group by 1, 2, 3
    on conflict (vo, site, state) do update set n = c.n + excluded.n`.execute(db)
  await sql`insert into job_history (vo, at, counts, arrived)
    select 'demo', at, jsonb_build_object('8', round(s.running * wave), '5', round(s.waiting * (2 - wave)), '9', round(90 * wave)),
      jsonb_build_object('12', round(s.done * part), '13', round(s.failed * part), '14', round(s.killed * part))
    from (select date_trunc('minute', ${now}::timestamptz) - k * interval '1 min' as at, 1 - k / 2880.0 as part,
        1 + 0.2 * sin(k / 150.0) as wave from generate_series(1, 2880) k) t
    cross join (select count(*) filter (where state = 8) as running, count(*) filter (where state = 5) as waiting,
        count(*) filter (where state = 12) as done, count(*) filter (where state = 13) as failed,
        count(*) filter (where state = 14) as killed from many_job) s
    on conflict do nothing`.execute(db)
}

/** The newest job that failed wrote two megabytes before it did. */
const log = (db: Db, first: bigint) =>
  sql`insert into job_log (job_id, attempt, stream, at, text)
    select j.id, j.attempt, 'out', k * 32768, repeat('event ' || lpad(k::text, 8, '0') || ' processed' || chr(10), 1365)
    from (select id, attempt from job where id >= ${first}::bigint and vo = 'demo' and state = 13 order by id desc limit 1) j
    cross join generate_series(0, ${sql.lit((2 * MEGABYTE) / 32768 - 1)}) k`.execute(db)
