-- How starts at a site ended besides: of the failed ones those that the site spoilt or lost, and, beside the counted ones,
-- those that were killed or given back.
alter table activity_bin add column spoilt int not null default 0, add column other int not null default 0;
insert into activity_bin (start, vo, measure, kind, name, n, failed, spoilt, other)
  select date_bin('10 minutes', a.ended_at, timestamptz '2000-01-01 00:00:00+00'), p.vo, 'jobs', 'site', a.site, 0, 0,
    count(*) filter (where a.outcome in ('site_fault', 'lost')), count(*) filter (where a.outcome in ('killed', 'returned'))
  from job_attempt a join pilot p on p.id = a.pilot_id
  where a.ended_at >= (select max(start) from activity_bin) - interval '8 days' and a.ended_at < (select max(start) from activity_bin)
    and a.outcome in ('site_fault', 'lost', 'killed', 'returned')
  group by 1, 2, 5
  on conflict (start, vo, measure, kind, name) do update set spoilt = excluded.spoilt, other = excluded.other;
