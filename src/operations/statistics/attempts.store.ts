import { sql } from '../../kernel/database.ts'

/** Starts that ended in [from, to); found site by site along the index on (site, ended_at), by leaps. */
export const endsBetween = (from: Date, to: Date) => sql`
  with recursive place as (
    (select site from job_attempt where ended_at is not null order by site limit 1)
    union all
    select (select a.site from job_attempt a where a.ended_at is not null and a.site > place.site order by a.site limit 1)
    from place where place.site is not null)
  select a.* from place join lateral (select * from job_attempt t where t.site = place.site
    and t.ended_at >= ${from} and t.ended_at < ${to}) a on true
  where place.site is not null`

/**
 * Starts of jobs that ended in [from, to) with all that may be the cause of failures; the cost follows the number of
 * ends in the span. A killed start and one that was given back say nothing of where it ran.
 */
export const endedStarts = (from: Date, to: Date) => sql`
  select j.vo, a.site, a.resource, q.owner, a.ended_at, a.outcome <> 'done' as failed, a.reason,
    coalesce(a.output_rse, b.spec ->> 'destination', '') as output_storage, coalesce(a.input_rse, '') as input_storage,
    coalesce(w.node, '') as node,
    coalesce(b.spec #>> '{software,release}', '') as release,
    coalesce(p.name, '') as production, coalesce(s.name, '') as step,
    coalesce(extract(epoch from a.ended_at - a.started_at), 0)::float8 as seconds
  from (${endsBetween(from, to)}) a
  join job j on j.id = a.job_id join job_queue q on q.id = j.queue_id join job_body b on b.id = j.body_id
  left join pilot w on w.id = a.pilot_id
  left join production_job pj on pj.job_id = a.job_id
  left join production_task pt on pt.id = pj.task_id
  left join production_step s on s.id = pt.step_id
  left join production p on p.id = s.production_id
  where a.outcome in ('done', 'failed', 'site_fault', 'lost')`
