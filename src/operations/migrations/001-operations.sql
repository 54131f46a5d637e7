-- Attempts of transfers as they ended, summed over what was committed together: transfers that are tried again and
-- again leave no other trace until they are given up.
create table transfer_end (
  at timestamptz not null,
  vo text not null,
  src_rse_id int not null,
  dst_rse_id int not null,
  activity text not null,
  n int not null,
  failed int not null,
  failed_source int not null,
  failed_destination int not null,
  bytes bigint not null,
  -- of one of the failed ones
  error text
);
create index transfer_end_at on transfer_end (at);

-- What ended within ten minutes, by what or whom it concerns. Counted anew while the ten minutes are young.
create table activity_bin (
  vo text not null,
  start timestamptz not null,
  measure text not null check (measure in ('jobs', 'pilots', 'transfers', 'tests')),
  kind text not null,
  name text not null,
  n int not null,
  failed int not null,
  -- wall clock of jobs
  seconds double precision not null default 0,
  primary key (start, vo, measure, kind, name)
);
create index activity_of on activity_bin (vo, kind, name, measure, start);

-- Ends of starts by all that may be the cause of failures. '' where a job has no such thing.
create table job_fact (
  vo text not null,
  hour timestamptz not null,
  site text not null,
  resource text not null,
  -- where outputs were to go, where somebody said so
  output_storage text not null,
  production text not null,
  step text not null,
  owner text not null,
  release text not null,
  n int not null,
  failed int not null,
  wall_seconds double precision not null,
  primary key (hour, vo, site, resource, output_storage, production, step, owner, release)
);

-- Up to where something has been worked through.
create table operation_mark (
  name text primary key,
  at timestamptz not null
);

-- One step of an active test, as an ordinary member of the VO meets it.
create table active_test (
  id bigint generated always as identity primary key,
  vo text not null,
  site text not null,
  -- what was tested: a site (its door, a job there) or one of its storages
  kind text not null check (kind in ('site', 'storage')),
  name text not null,
  test text not null check (test in ('job', 'put', 'get', 'checksum', 'list', 'delete', 'port', 'clock')),
  at timestamptz not null,
  ok boolean not null,
  -- false: a failure that is tried once more before anybody is told
  counts boolean not null,
  ms int not null,
  message text not null default '',
  -- clock of the other side minus ours
  offset_ms double precision
);
create index active_test_of on active_test (vo, kind, name, test, at desc);
create index active_test_at on active_test (at);

-- What is tested, and when next.
create table probe (
  vo text not null,
  kind text not null check (kind in ('door', 'job', 'storage')),
  name text not null,
  site text not null,
  next_at timestamptz not null,
  -- the present round repeats a test that failed
  again boolean not null default false,
  -- a job that is on its way
  job_id bigint,
  job_until timestamptz,
  primary key (vo, kind, name)
);
create index probe_next on probe (next_at);
