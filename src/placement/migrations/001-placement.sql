create table rule (
  id uuid primary key,
  vo text not null,
  target_id bigint not null,
  target_kind "char" not null check (target_kind in ('F', 'D', 'C')),
  account_id int not null,
  rse_expression text not null,
  copies smallint not null check (copies between 1 and 100),
  grouping "char" not null default 'D' check (grouping in ('A', 'D', 'N')),
  weight text,
  state text not null check (state in ('INJECT', 'REPLICATING', 'OK', 'STUCK', 'SUSPENDED')),
  error text,
  locked boolean not null default false,
  priority smallint not null default 3 check (priority between 1 and 5),
  activity text not null default 'User Subscriptions',
  source_rse_expression text,
  expires_at timestamptz,
  purge_replicas boolean not null default false,
  ignore_availability boolean not null default false,
  notification text not null default 'NO',
  comments text,
  meta jsonb,
  -- the rule that replaces this one: when it is OK, this one ends
  successor_id uuid,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  stuck_at timestamptz,
  unique (target_id, account_id, rse_expression, copies)
);
create index rule_expiry on rule (expires_at) where expires_at is not null;
create index rule_successor on rule (successor_id) where successor_id is not null;
create index rule_unfinished on rule (state, updated_at) where state <> 'OK';

-- The dataset lock: this row is the protection of every file of the dataset at the RSE.
create table placement (
  rule_id uuid not null references rule on delete cascade,
  collection_id bigint not null,
  rse_id int not null,
  primary key (rule_id, collection_id, rse_id)
);
create index placement_collection on placement (collection_id, rse_id);
create index placement_rse on placement (rse_id);

-- Only for rules on single files and for grouping NONE.
create table file_placement (
  rule_id uuid not null references rule on delete cascade,
  file_id bigint not null,
  rse_id int not null,
  primary key (rule_id, file_id, rse_id)
);
create index file_placement_file on file_placement (file_id, rse_id);

-- A file that a rule wants somewhere and that is not there yet: bounded by work in flight, and the answer to
-- "why is my rule stuck".
create table placement_gap (
  rule_id uuid not null references rule on delete cascade,
  file_id bigint not null,
  rse_id int not null,
  state text not null default 'missing' check (state in ('missing', 'moving', 'failed')),
  attempts int not null default 0,
  last_error jsonb,
  next_try timestamptz not null,
  created_at timestamptz not null,
  primary key (rule_id, file_id, rse_id)
);
create index placement_gap_copy on placement_gap (file_id, rse_id);
create index placement_gap_due on placement_gap (next_try) where state <> 'moving';

-- Rules whose target changed below them, or that are new and large: to be evaluated.
create table evaluation_queue (
  rule_id uuid primary key references rule on delete cascade,
  queued_at timestamptz not null
);

-- A (dataset or file, RSE) whose last placement may have gone: copies there may become unprotected.
create table release_queue (
  target_id bigint not null,
  target_kind "char" not null,
  rse_id int not null,
  purge boolean not null default false,
  queued_at timestamptz not null,
  primary key (target_id, rse_id)
);

-- The deletion intent: trashed at the storage, purged after the grace.
create table deletion (
  id uuid primary key,
  vo text not null,
  file_id bigint not null,
  rse_id int not null,
  bytes bigint not null,
  -- what the copy was before; an undone deletion gives it back just that
  was_state text not null,
  state text not null check (state in ('intended', 'trashed')),
  attempts int not null default 0,
  last_error jsonb,
  owner text,
  lease_until timestamptz,
  next_try timestamptz not null,
  purge_after timestamptz not null,
  created_at timestamptz not null,
  unique (file_id, rse_id)
);
create index deletion_due on deletion (next_try);

create table account_limit (
  account_id int not null,
  -- '' for a local limit on rse_id, otherwise a global limit on the expression
  rse_expression text not null default '',
  rse_id int not null default 0,
  bytes bigint not null,
  primary key (account_id, rse_expression, rse_id)
);
