import { type Db, sql } from '../../../src/kernel/index.ts'
import { oneOf } from './chance.ts'

const RUNS = 4000
const FILES_A_RUN = 100
/** Numbers of files that no catalogue gives. */
const FILES = 3_000_000_000_000

/** A month of raw data; the last of its runs are still being taken or on their way. */
export async function manyRawFiles(db: Db, now: Date): Promise<void> {
  await sql`insert into raw_flow (vo, name, account_id, account, scope, landing, archive, centres, changed_at)
    select 'demo', 'detector', id, name, 'user.admin', 'KEK-DISK', 'KEK-DISK', '[{"storages": "OSAKA-DISK", "share": 2},
      {"storages": "CHICAGO-DISK", "share": 1}]', ${now} from account where vo = 'demo' and name = 'admin'`.execute(
    db,
  )
  await sql`insert into raw_run (vo, flow_id, experiment, run, scope, dataset, centre, files_expected, opened_at, closed_at, completed_at)
    select 'demo', f.id, 26, n, f.scope, 'raw.e0026.r' || lpad(n::text, 5, '0'), ${oneOf('n', 71, ['OSAKA-DISK', 'CHICAGO-DISK'])},
      case when n < ${sql.lit(RUNS)} then ${sql.lit(FILES_A_RUN)} end, at, case when n < ${sql.lit(RUNS)} then at + interval '8 min' end,
      case when n < ${sql.lit(RUNS - 5)} then at + interval '15 min' end
    from raw_flow f cross join (select n, ${now}::timestamptz - (${sql.lit(RUNS + 1)} - n) * interval '10 min' as at
      from generate_series(1, ${sql.lit(RUNS)}) n) r where f.name = 'detector' order by n`.execute(db)
  await sql`insert into raw_file (run_id, name, stream, bytes, adler32, events, state, file_id, problem, look_at, recorded_at, landed_at,
      verified_at, registered_at, archived_at, second_copy_at, releasable_at, released_at, released_by, tape_rse, tape_site, other_rse,
      other_site)
    select r.id, 'physics.e0026.r' || lpad(r.run::text, 5, '0') || '.f' || lpad(k::text, 5, '0') || '.root', 'physics', 2000000000 + k,
      lpad(to_hex(r.run * 1000 + k), 8, '0'), 20000, state, case when known then ${sql.lit(FILES)} + r.run * 1000 + k end,
      case when state = 'landed' then 'it landed with adler32 00000001 instead of 0bad0bad; send it again' else '' end,
      case when not known then ${now}::timestamptz + interval '7 days' end, at, case when known or state = 'landed' then at + interval '1 min' end,
      case when known then at + interval '2 min' end, case when known then at + interval '3 min' end,
      case when free then at + interval '20 min' end, case when free then at + interval '40 min' end,
      case when free then at + interval '41 min' end, case when free then at + interval '60 min' end, case when free then 'admin' end,
      case when free then 'KEK-TAPE' end, case when free then 'kek' end, case when free then r.centre end,
      case when free then lower(split_part(r.centre, '-', 1)) end
    from (select r.*, k, r.opened_at + k * interval '5 s' as at, state, state = 'released' as free, state not in ('recorded', 'landed') as known
      from raw_run r cross join generate_series(1, ${sql.lit(FILES_A_RUN)}) k
      cross join lateral (select case when r.run < ${sql.lit(RUNS - 50)} then 'released' when r.run < ${sql.lit(RUNS - 5)} then 'registered'
        when k % 10 = 0 then 'landed' else 'recorded' end as state) s) r
    order by r.id, k`.execute(db)
}
