-- What is to be made. Life, validation and operation are independent of each other.
create table production (
  id int generated always as identity primary key,
  vo text not null,
  name text not null,
  account_id int not null,
  account text not null,
  group_name text not null,
  -- as it was read; immutable once started
  definition jsonb not null,
  -- as it was written
  source text not null,
  life text not null default 'defined' check (life in ('defined', 'active', 'finishing', 'completed', 'cancelled')),
  validation text not null default 'unchecked' check (validation in ('unchecked', 'accepted', 'rejected')),
  operation text not null default 'normal' check (operation in ('normal', 'held', 'troubled')),
  -- why the operation is what it is
  reason text not null default '',
  checked_by text,
  -- whether its first tasks have shown that the others are worth making
  scouted boolean not null default false,
  -- progress that was last told in an event, in twentieths
  told smallint not null default 0,
  created_at timestamptz not null,
  started_at timestamptz,
  ended_at timestamptz,
  unique (vo, name),
  constraint only_what_was_checked_starts check (started_at is null or checked_by is not null)
);
create index production_at_work on production (id) where life in ('active', 'finishing');

-- One transformation of a production, with its counters, kept in the transactions that change what they count.
create table production_step (
  id int generated always as identity primary key,
  production_id int not null references production on delete cascade,
  n smallint not null,
  name text not null,
  kind text not null,
  tasks bigint not null default 0,
  verified bigint not null default 0,
  failed bigint not null default 0,
  jobs bigint not null default 0,
  jobs_failed bigint not null default 0,
  events_verified bigint not null default 0,
  inputs bigint not null default 0,
  inputs_taken bigint not null default 0,
  -- when the catalogue was last asked for new inputs
  looked_at timestamptz,
  unique (production_id, n),
  unique (production_id, name)
);

-- So many events of a type under the conditions of a run; tasks are cut from it as they are needed.
create table production_cell (
  id bigint generated always as identity primary key,
  production_id int not null references production on delete cascade,
  experiment int not null,
  run int not null,
  event_type text not null,
  events bigint not null check (events > 0),
  events_cut bigint not null default 0,
  tasks_cut int not null default 0,
  unique (production_id, experiment, run, event_type),
  constraint no_event_is_cut_twice check (events_cut <= events)
);
create index production_cell_open on production_cell (production_id, id) where events_cut < events;

-- One output that is to be made. Its id is its seed: no two tasks ever have the same.
create table production_task (
  id bigint generated always as identity primary key,
  step_id int not null references production_step on delete cascade,
  cell_id bigint references production_cell on delete cascade,
  -- which part of the cell
  n int,
  experiment int,
  run int,
  event_type text,
  first_event bigint,
  -- what it shall make, or what its inputs hold; null: unknown
  events bigint,
  scout boolean not null default false,
  state text not null default 'ready' check (state in ('ready', 'submitted', 'verified', 'failed')),
  -- the job that may end it; those before it may not
  job_id bigint unique,
  tries int not null default 0,
  -- of its last job
  failure text,
  reason text not null default '',
  ready_at timestamptz not null,
  updated_at timestamptz not null,
  unique (cell_id, n),
  constraint only_a_job_ends_it check (state in ('ready', 'failed') or job_id is not null)
);
create index production_task_ready on production_task (step_id, ready_at) where state = 'ready';
create index production_task_submitted on production_task (step_id, id) where state = 'submitted';
create index production_task_failed on production_task (step_id, id) where state = 'failed';
create index production_task_scout on production_task (step_id) where scout;

-- Every job that was ever submitted for a task.
create table production_job (
  job_id bigint primary key,
  task_id bigint not null references production_task on delete cascade,
  n int not null,
  unique (task_id, n)
);

-- A file that a step takes: once, for one task.
create table production_input (
  step_id int not null references production_step on delete cascade,
  file_id bigint not null,
  scope text not null,
  name text not null,
  bytes bigint not null,
  experiment int,
  run int,
  event_type text,
  events bigint,
  task_id bigint references production_task on delete cascade,
  -- taken though no task came of it: broadcast steps
  taken boolean not null default false,
  added_at timestamptz not null,
  primary key (step_id, file_id)
);
create index production_input_free on production_input (step_id, run, file_id) where task_id is null and not taken;
create index production_input_task on production_input (task_id) where task_id is not null;
create index production_input_file on production_input (file_id);

-- A dataset of at most a thousand files that go to one destination.
create table production_block (
  id bigint generated always as identity primary key,
  step_id int not null references production_step on delete cascade,
  n int not null,
  destination smallint not null,
  scope text not null,
  name text not null,
  files int not null default 0 check (files between 0 and 1000),
  unique (step_id, n)
);
create index production_block_open on production_block (step_id, destination, n desc);

-- The one file that a task made.
create table production_output (
  task_id bigint primary key references production_task on delete cascade,
  file_id bigint not null unique,
  job_id bigint not null,
  attempt int not null,
  events bigint,
  block_id bigint not null references production_block on delete cascade,
  -- an intermediate that nobody needs any more
  given_up_at timestamptz,
  added_at timestamptz not null
);
create index production_output_kept on production_output (block_id) where given_up_at is null;
