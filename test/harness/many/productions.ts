import { type Db, sql } from '../../../src/kernel/index.ts'
import { readDefinition } from '../../../src/production/definition.ts'
import { oneOf } from './chance.ts'
import { TAG } from './sites.ts'

const PRODUCTIONS = 60
const AT_WORK = 12
const EVENTS = 2000
/** Numbers of files that no catalogue gives. */
const FILES = 1_000_000_000_000

const source = (name: string) => `production: ${name}
scope: user.admin
description: charged B pairs with the beam background of experiment 26, as for the summer conferences
release: release-08-02-07
conditions: mc16_proc15_v2
campaign: MC16
energy: 4S
destinations:
  - {storages: 'KEK-DISK|CHICAGO-DISK', share: 1}
steps:
  - name: simulate
    kind: generate
    program: /bin/true
    eventsPerJob: ${EVENTS}
    output: out.root
    tags: [${TAG}]
  - name: reconstruct
    kind: standard
    input: simulate
    program: /bin/true
    output: mdst.root
    tags: [${TAG}]
  - name: merge
    kind: by_size
    input: reconstruct
    program: /bin/true
    gigabytesPerJob: 4
    output: merged.root
    tags: [${TAG}]
cells:
  - [26, 1, 1]
`
const steps = sql`(values (0, 'simulate', 'generate'), (1, 'reconstruct', 'standard'), (2, 'merge', 'by_size')) as s(n, name, kind)`

/**
 * Productions whose tasks are the jobs that `manyJobs` made in the names of managers: twelve at work, of which one has
 * three of eight of all tasks, the others over. Outputs and inputs have numbers that the catalogue does not know.
 */
export async function manyProductions(db: Db, now: Date): Promise<void> {
  const name = (n: string) =>
    sql`'MC16_' || ${oneOf(n, 51, ['charged', 'mixed', 'uubar', 'ccbar', 'taupair'])} || '_r' || ${sql.raw(n)}`
  const text = source('NAME')
  const definition = JSON.stringify(readDefinition(text, []).definition)
  await sql`insert into production (vo, name, account_id, account, group_name, definition, source, life, validation, operation,
      reason, checked_by, scouted, created_at, started_at, ended_at)
    select 'demo', ${name('n')}, a.id, a.name, '/demo/production',
      jsonb_set(${definition}::jsonb, '{name}', to_jsonb(${name('n')})), replace(${text}, 'NAME', ${name('n')}),
      case when n > ${sql.lit(PRODUCTIONS - AT_WORK)} then 'active' when n % 9 = 0 then 'cancelled' else 'completed' end, 'accepted',
      case when n = ${sql.lit(PRODUCTIONS - 2)} then 'troubled' when n = ${sql.lit(PRODUCTIONS - 4)} then 'held' else 'normal' end,
      case when n = ${sql.lit(PRODUCTIONS - 2)} then '20 of the last 40 jobs failed: Output mdst.root could not be stored'
        when n = ${sql.lit(PRODUCTIONS - 4)} then 'waiting for new conditions' else '' end,
      'admin', true, ${now}::timestamptz - n * interval '1 h' - interval '2 days', ${now}::timestamptz - interval '2 days',
      case when n <= ${sql.lit(PRODUCTIONS - AT_WORK)} then ${now}::timestamptz - n * interval '20 min' end
    from generate_series(1, ${sql.lit(PRODUCTIONS)}) n cross join (select id, name from account where vo = 'demo' and name = 'admin') a
    order by n`.execute(db)
  await sql`insert into production_step (production_id, n, name, kind)
    select p.id, s.n, s.name, s.kind from production p cross join ${steps} where p.definition ->> 'campaign' = 'MC16'
    order by p.id, s.n`.execute(db)
  await sql`insert into production_cell (production_id, experiment, run, event_type, events)
    select p.id, 26, run, 'charged', 1 from production p
    cross join lateral generate_series(1, case when p.id = (select max(id) from production) then 2000 else 200 end) run
    where p.definition ->> 'campaign' = 'MC16'`.execute(db)
  await tasks(db)
  await outputs(db)
  await sums(db)
}

async function tasks(db: Db): Promise<void> {
  await sql`create temp table many_task on commit drop as
    select nextval(pg_get_serial_sequence('production_task', 'id')) as id, t.*, s.id as step, c.id as cell,
      row_number() over (partition by s.id, c.id order by t.job) - 1 as part
    from (
      select j.id as job, j.state, j.updated_at, j.minor, j.submitted_at, coalesce(j.ended_at, j.submitted_at) as at, r, r % 10 as k,
        case when j.state not between 12 and 14 then ${sql.lit(PRODUCTIONS)} - r % ${sql.lit(AT_WORK)}
          when r % 8 < 3 then ${sql.lit(PRODUCTIONS)} else 1 + r % ${sql.lit(PRODUCTIONS - 1)} end as n
      from (select j.*, row_number() over (order by j.id) as r from job j join job_queue q on q.id = j.queue_id
        where q.owner_id >= 100000 and q.group_name = '/demo/production') j) t
    join (select id, row_number() over (order by id) as n from production where definition ->> 'campaign' = 'MC16') p on p.n = t.n
    join production_step s on s.production_id = p.id and s.n = case when k < 6 then 0 when k < 9 then 1 else 2 end
    left join production_cell c on k < 6 and c.production_id = p.id
      and c.run = 1 + t.r % (select count(*) from production_cell x where x.production_id = p.id)`.execute(db)
  await sql`insert into production_task (id, step_id, cell_id, n, experiment, run, event_type, first_event, events, state, job_id,
      tries, failure, reason, ready_at, updated_at)
    overriding system value
    select id, step, cell, case when cell is not null then part end, 26, 1 + r % 2000, 'charged', part * ${sql.lit(EVENTS)},
      ${sql.lit(EVENTS)}, case state when 12 then 'verified' when 13 then 'failed' when 14 then 'failed' else 'submitted' end,
      job, 1, case state when 13 then 'software' when 14 then 'cancelled' end, case when state in (13, 14) then minor else '' end,
      submitted_at, at
    from many_task order by id`.execute(db)
  await sql`insert into production_job (job_id, task_id, n) select job, id, 1 from many_task order by 1`.execute(
    db,
  )
}

async function outputs(db: Db): Promise<void> {
  await sql`create temp table many_output on commit drop as
    select t.id, t.job, t.step, t.at, (row_number() over (partition by t.step order by t.id) - 1) / 1000 as block
    from many_task t where t.state = 12`.execute(db)
  await sql`insert into production_block (step_id, n, destination, scope, name, files)
    select o.step, o.block, o.block % 2, 'user.admin', p.name || '.' || s.name || '.sub' || lpad(o.block::text, 2, '0'), count(*)
    from many_output o join production_step s on s.id = o.step join production p on p.id = s.production_id
    group by o.step, o.block, p.name, s.name`.execute(db)
  await sql`insert into production_output (task_id, file_id, job_id, attempt, events, block_id, added_at)
    select o.id, ${sql.lit(FILES)} + o.id, o.job, 1, ${sql.lit(EVENTS)}, b.id, o.at from many_output o
    join production_block b on b.step_id = o.step and b.n = o.block order by o.id`.execute(db)
  await sql`insert into production_input (step_id, file_id, scope, name, bytes, experiment, run, event_type, events, task_id, added_at)
    select t.step, ${sql.lit(2 * FILES)} + t.id, 'user.admin', 'out_' || t.id || '.root', 2e8, 26, 1 + t.r % 2000, 'charged',
      ${sql.lit(EVENTS)}, t.id, t.at from many_task t where t.cell is null`.execute(db)
}

async function sums(db: Db): Promise<void> {
  await sql`update production_step s set tasks = t.tasks, verified = t.verified, failed = t.failed, jobs = t.tasks + t.tasks / 20,
      jobs_failed = t.failed + t.tasks / 20, events_verified = ${sql.lit(EVENTS)} * t.verified, inputs = t.inputs, inputs_taken = t.inputs
    from (select step, count(*) as tasks, count(*) filter (where state = 12) as verified, count(*) filter (where cell is null) as inputs,
      count(*) filter (where state in (13, 14)) as failed from many_task group by 1) t where t.step = s.id`.execute(
    db,
  )
  // Of those at work a third is still to be cut.
  await sql`update production_cell c set events_cut = t.n * ${sql.lit(EVENTS)}, tasks_cut = t.n,
      events = t.n * ${sql.lit(EVENTS)} * case p.life when 'active' then 1.5 else 1 end
    from (select cell, count(*)::int as n from many_task where cell is not null group by 1) t, production p
    where t.cell = c.id and p.id = c.production_id`.execute(db)
  await sql`delete from production_cell where events_cut = 0 and event_type = 'charged'
    and production_id in (select id from production where definition ->> 'campaign' = 'MC16')`.execute(db)
}
