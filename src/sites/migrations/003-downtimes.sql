-- Times in which a site, or one storage or place of it, does not work or not fully. Never deleted: what was announced
-- and withdrawn belongs to the history of the site.
create table downtime (
  id int generated always as identity primary key,
  vo text not null,
  site text not null,
  -- of one storage, or of one place that runs jobs; both null: of the whole site
  storage text,
  resource text,
  severity text not null check (severity in ('OUTAGE', 'WARNING')),
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  reason text not null,
  made_by text not null,
  made_at timestamptz not null,
  cancelled_by text,
  cancelled_at timestamptz,
  check (ends_at > starts_at),
  check (storage is null or resource is null)
);
create index downtime_ahead on downtime (vo, ends_at) where cancelled_at is null;
create index downtime_newest on downtime (vo, starts_at desc);
