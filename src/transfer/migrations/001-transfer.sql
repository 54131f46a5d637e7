-- One row per wish "this file to that storage". At most one is unfinished per file and destination. Finished rows
-- are moved to transfer_log.
create table transfer (
  id uuid primary key,
  vo text not null,
  file_id bigint not null,
  dst_rse_id int not null,
  -- chosen at claim time from the copies then available
  src_rse_id int,
  bytes bigint not null,
  activity text not null default 'default',
  priority smallint not null default 3 check (priority between 1 and 5),
  -- true: whatever lies at the destination is known to be bad and is replaced
  overwrite boolean not null default false,
  state text not null check (state in ('queued', 'active', 'verifying')),
  -- numbers every start; together with owner it fences late reports
  attempt int not null default 0,
  -- starts that count against the limit, and those that found a site away or overloaded
  failures smallint not null default 0,
  waits smallint not null default 0,
  -- only sources that match
  source_expression text,
  -- this transfer made the COPYING row, so its end without success removes it
  made_replica boolean not null default false,
  not_before timestamptz not null,
  owner text,
  lease_until timestamptz,
  deadline timestamptz not null,
  bytes_done bigint not null default 0,
  last_error jsonb,
  created_at timestamptz not null,
  started_at timestamptz,
  unique (file_id, dst_rse_id)
);
create index transfer_queue on transfer (dst_rse_id, priority desc, not_before, created_at) where state = 'queued';
create index transfer_lease on transfer (lease_until) where state <> 'queued';

create table transfer_log (
  id uuid not null,
  vo text not null,
  file_id bigint not null,
  src_rse_id int,
  dst_rse_id int not null,
  bytes bigint not null,
  activity text not null,
  outcome text not null check (outcome in ('done', 'adopted', 'failed', 'canceled')),
  attempts int not null,
  error jsonb,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz not null
) partition by range (finished_at);
create table transfer_log_default partition of transfer_log default;
create index on transfer_log (finished_at);
create index on transfer_log (file_id);
create index on transfer_log (src_rse_id, dst_rse_id, finished_at);

-- What the rate controller learned about a link: how many copies at once, last measured rate, and why.
create table link (
  src_rse_id int not null,
  dst_rse_id int not null,
  max_active int not null default 4,
  rate_bytes_per_s double precision,
  rationale text not null default '',
  blocked_until timestamptz,
  updated_at timestamptz not null,
  primary key (src_rse_id, dst_rse_id)
);
