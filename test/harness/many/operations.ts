import { type Db, sql } from '../../../src/kernel/index.ts'
import { chance, oneOf } from './chance.ts'
import { SITES } from './sites.ts'

const CARDS = 400
const OPEN = 30
const site = (n: string) => sql`(${SITES}::text[])[1 + ${sql.raw(n)} % ${sql.lit(SITES.length)}]`

/** Cards, thirty of them open, with their history; a month of shifts and what was written in them. */
export async function manyOperations(db: Db, now: Date): Promise<void> {
  await sql`insert into card (vo, key, title, state, severity, entity, cause, entities, findings, first_seen, last_seen, opened_at,
      owner, acknowledged_at, closed_at, closed_by)
    select 'demo', 'many ' || n, 'storage ' || upper(site) || '-DISK: 390 of 400 jobs failed at 2 sites',
      case when n <= ${sql.lit(CARDS - OPEN)} then 'CLOSED' when n % 3 = 0 then 'WORKING' else 'NEW' end,
      ${oneOf('n', 61, ['warn', 'error', 'error', 'critical'])}, entity, case when n % 2 = 0 then jsonb_build_object('entity', entity,
        'n', 400, 'failed', 390, 'score', 80, 'sites', jsonb_build_array(site, 'kek'), 'within', '[]'::jsonb, 'explains', '[]'::jsonb,
        'of', 'jobs', 'templates', '[{"text": "Output mdst.root could not be stored: connection refused by <host>", "n": 388}]'::jsonb) end,
      jsonb_build_array(entity, jsonb_build_object('kind', 'site', 'name', site)),
      (select jsonb_agg(jsonb_build_object('rule', 'R08', 'code', 'jobs fail', 'entity', jsonb_build_object('kind', 'site',
        'name', (${SITES}::text[])[1 + (n + k) % ${sql.lit(SITES.length)}]), 'within', '[]'::jsonb, 'since', seen, 'severity', 'error',
        'facts', jsonb_build_object('n', 300, 'failed', 200 + k))) from generate_series(0, n % 12) k),
      seen, last, seen, case when n % 3 = 0 then 'mika' end, case when n % 3 = 0 then seen + interval '5 min' end,
      case when n <= ${sql.lit(CARDS - OPEN)} then last end, case when n <= ${sql.lit(CARDS - OPEN)} and n % 2 = 0 then 'mika' end
    from (
      select n, site, jsonb_build_object('kind', 'storage', 'name', upper(site) || '-DISK') as entity, seen,
        case when n <= ${sql.lit(CARDS - OPEN)} then seen + interval '4 h' else ${now}::timestamptz end as last
      from (select n, ${site('n')} as site, ${now}::timestamptz - (${sql.lit(CARDS)} - n) * interval '40 min' - interval '1 h' as seen
        from generate_series(1, ${sql.lit(CARDS)}) n) c) c`.execute(db)
  await sql`insert into card_change (card_id, at, author, kind, text)
    select c.id, c.opened_at + k * interval '10 min', case when k > 0 then 'mika' end, case when k = 0 then 'opened' else 'noted' end,
      case when k = 0 then 'jobs fail (n 400, failed 390)' else 'asked the site; they look at the door' end
    from card c cross join generate_series(0, 8) k where c.key like 'many %' order by c.id, k`.execute(db)
  await sql`insert into shift (vo, kind, person, starts_at, ends_at, started_at, handover, ended_at)
    select 'demo', ${oneOf('k', 62, ['DP', 'DP', 'expert', 'DC'])}, ${oneOf('k', 63, ['mika', 'noa', 'kei', 'admin'])}, at, at + interval '8 h',
      case when at < ${now} then at end, case when at < ${now}::timestamptz - interval '8 h' then 'two cards are with their sites' end,
      case when at < ${now}::timestamptz - interval '8 h' then at + interval '8 h' end
    from (select k, date_trunc('day', ${now}::timestamptz) + k * interval '8 h' as at from generate_series(-90, 83) k) s`.execute(
    db,
  )
  await sql`insert into shift_entry (vo, at, author, kind, text, site)
    select 'demo', ${now}::timestamptz - (5000 - k) * interval '8 min', case when k % 4 = 0 then 'mika' end,
      case when k % 4 = 0 then 'note' else ${oneOf('k', 64, ['card', 'site.state', 'exclusion'])} end,
      ${site('k')} || case when k % 4 = 0 then ' answers again, they had changed a certificate' else ' is down: No report for 45 s.' end,
      ${site('k')} from generate_series(1, 5000) k where ${chance('k', 65)} < 2 order by k`.execute(db)
  await sql`insert into status_day (vo, service, day, ok, degraded, down, last_at)
    select vo, service, (${now}::timestamptz at time zone 'UTC')::date - k, 1400, 30, 10, ${now}::timestamptz - k * interval '1 day'
    from (select distinct vo, service from status_day) s cross join generate_series(1, 90) k on conflict do nothing`.execute(
    db,
  )
}
