-- Jobs of the same owner with the same demands share a queue, so that a match looks at thousands of queues, not at
-- millions of jobs. A queue never changes: a job whose demands change moves to another.
create table job_queue (
  id int generated always as identity primary key,
  vo text not null,
  -- sha256 of everything below but created_at
  key bytea not null,
  owner_id int not null,
  owner text not null,
  group_name text not null,
  job_type text not null,
  demand jsonb not null,
  -- sites that hold all inputs; null: the jobs may run anywhere
  data_sites text[],
  created_at timestamptz not null,
  unique (vo, key)
);

-- How many jobs of a queue are in a state: base here, changes of the last seconds in job_delta.
create table job_count (
  queue_id int not null,
  state smallint not null,
  n bigint not null,
  primary key (queue_id, state)
);
create index job_count_waiting on job_count (queue_id) where state = 5 and n > 0;
create table job_delta (
  id bigint generated always as identity primary key,
  queue_id int not null,
  state smallint not null,
  n int not null,
  core_seconds double precision not null default 0
);

-- What a job is to do. The jobs of one submission share it; what is different for each lies in job.item.
create table job_body (
  id bigint generated always as identity primary key,
  vo text not null,
  job_group text not null,
  spec jsonb not null,
  created_at timestamptz not null
);

-- Narrow, because every change of state writes the row anew.
create table job (
  id bigint generated always as identity primary key,
  vo text not null,
  queue_id int not null,
  body_id bigint not null,
  owner_id int not null,
  name text not null,
  state smallint not null,
  minor text not null,
  application text not null default 'Unknown',
  priority smallint not null,
  -- numbers every start; whoever reports must name it
  attempt int not null default 0,
  -- starts that ended by no fault of the job
  losses smallint not null default 0,
  -- starts that the job itself ended badly
  failures smallint not null default 0,
  pilot_id bigint,
  site text,
  -- when the state ends by itself; what follows is written in states.ts
  deadline timestamptz,
  -- when the inputs are looked for again
  look_at timestamptz,
  item jsonb,
  submitted_at timestamptz not null,
  updated_at timestamptz not null,
  started_at timestamptz,
  heartbeat_at timestamptz,
  rescheduled_at timestamptz,
  ended_at timestamptz,
  constraint every_state_ends check (deadline is not null or state between 12 and 15)
) with (fillfactor = 85);
create index job_waiting on job (queue_id, priority desc, id) where state = 5;
create index job_deadline on job (deadline) where deadline is not null;
create index job_look on job (look_at) where look_at is not null;
create index job_owner on job (vo, owner_id, id desc);
create index job_newest on job (vo, id desc);
create index job_body_of on job (body_id);
create index job_pilot on job (pilot_id) where state in (6, 8, 9, 10);

create table job_event (
  job_id bigint not null,
  attempt int not null,
  at timestamptz not null,
  state smallint not null,
  minor text not null,
  application text not null,
  source text not null
) partition by range (at);
create table job_event_default partition of job_event default;
create index on job_event (job_id, at);

-- One start of a job at one pilot.
create table job_attempt (
  job_id bigint not null,
  n int not null,
  pilot_id bigint not null,
  site text not null,
  resource text not null,
  leased_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  outcome text check (outcome in ('done', 'failed', 'killed', 'lost', 'site_fault', 'returned')),
  reason text,
  exit_code int,
  -- core seconds put on the owner's account at the start, corrected at the end
  charged double precision not null,
  -- rows of job_limit that this start counts for
  limits int[] not null default '{}',
  -- the last figures of the pilot, by their names on the wire
  figures jsonb not null default '{}',
  primary key (job_id, n)
);
create index job_attempt_ended on job_attempt (site, ended_at) where ended_at is not null;

-- What the running start is told when it next reports; addressed to the start, so that it never hits the next one.
create table job_command (
  id bigint generated always as identity primary key,
  job_id bigint not null,
  attempt int not null,
  command text not null,
  created_at timestamptz not null,
  handed_at timestamptz,
  unique (job_id, attempt, command)
);

-- What a payload wrote, as far as it was sent.
create table job_log (
  job_id bigint not null,
  attempt int not null,
  stream text not null check (stream in ('out', 'err')),
  -- position in bytes
  at bigint not null,
  text text not null,
  primary key (job_id, attempt, stream, at)
);

-- A submission that is sent again answers as the first time.
create table job_request (
  vo text not null,
  owner_id int not null,
  key text not null,
  digest bytea not null,
  job_ids bigint[] not null,
  created_at timestamptz not null,
  primary key (vo, owner_id, key)
);
create index on job_request (created_at);

-- The part of the grid that a group may expect; groups without a row have weight 1.
create table job_share (
  vo text not null,
  group_name text not null,
  weight double precision not null check (weight > 0),
  primary key (vo, group_name)
);
-- Core seconds used, each halved with every half-life that passed: as of `at`.
create table job_usage (
  vo text not null,
  group_name text not null,
  owner text not null,
  core_seconds double precision not null,
  at timestamptz not null,
  primary key (vo, group_name, owner)
);

-- How many jobs of a kind run at once, and how quickly they start. site null: at all sites together.
create table job_limit (
  id int generated always as identity primary key,
  vo text not null,
  site text,
  key text not null check (key in ('any', 'owner', 'group', 'type', 'storage')),
  value text not null,
  max_running int check (max_running >= 0),
  -- at least so long between two starts
  interval_ms int not null default 0 check (interval_ms >= 0),
  used int not null default 0,
  next_at timestamptz
);
create unique index job_limit_of on job_limit (vo, coalesce(site, ''), key, value);

-- Where pilots can be started.
create table compute_resource (
  id int generated always as identity primary key,
  vo text not null,
  site text not null,
  name text not null,
  -- the program of the site that starts pilots
  gateway text not null,
  kind text not null,
  cores int not null check (cores > 0),
  memory_mb int not null check (memory_mb > 0),
  disk_mb int not null check (disk_mb > 0),
  seconds int not null check (seconds > 0),
  platform text not null,
  tags text[] not null default '{}',
  max_pilots int not null check (max_pilots >= 0),
  max_waiting int not null check (max_waiting >= 0),
  -- black-hole protection: nothing is started here before, and why
  paused_until timestamptz,
  pause_ms int not null default 0,
  pause_reason text,
  unique (vo, name)
);

create table pilot (
  id bigint generated always as identity primary key,
  stamp text not null unique check (length(stamp) <= 32),
  vo text not null,
  resource_id int,
  site text not null,
  resource text not null,
  state text not null check (state in ('Submitted', 'Waiting', 'Running', 'Done', 'Failed', 'Aborted', 'Deleted', 'Unknown')),
  reason text not null default '',
  reference text,
  offer jsonb not null default '{}',
  created_at timestamptz not null,
  seen_at timestamptz,
  ended_at timestamptz,
  deadline timestamptz,
  -- starts that ended here, and how many of the last ones in a row the site spoilt
  jobs int not null default 0,
  spoilt int not null default 0,
  draining boolean not null default false,
  constraint every_pilot_ends check (deadline is not null or state in ('Done', 'Failed', 'Aborted', 'Deleted'))
);
create index pilot_alive on pilot (resource_id, state) where deadline is not null;
create index pilot_deadline on pilot (deadline) where deadline is not null;
create index pilot_newest on pilot (vo, id desc);

-- A file that a start was allowed to write. What is not committed with its start is removed from the storage.
create table job_upload (
  job_id bigint not null,
  attempt int not null,
  scope text not null,
  name text not null,
  rse_id int not null,
  -- in which order the places were offered: those after the one that was taken were never tried
  place smallint not null,
  remove_at timestamptz not null,
  tries int not null default 0,
  primary key (scope, name, rse_id)
);
create index job_upload_of on job_upload (job_id, attempt);
create index job_upload_remove on job_upload (remove_at);

-- Which start made a file.
create table job_output (
  file_id bigint primary key,
  job_id bigint not null,
  attempt int not null
);
create index job_output_of on job_output (job_id);
