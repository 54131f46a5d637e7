-- Where the raw data of an experiment goes.
create table raw_flow (
  id int generated always as identity primary key,
  vo text not null,
  name text not null,
  account_id int not null,
  account text not null,
  scope text not null,
  -- RSE to which the detector's disk is copied
  landing text not null,
  -- RSE expression of tape-class storages
  archive text not null,
  -- [{storages, share}]: where second copies go, a run as a whole
  centres jsonb not null,
  changed_at timestamptz not null,
  unique (vo, name)
);

create table raw_run (
  id bigint generated always as identity primary key,
  vo text not null,
  flow_id int not null references raw_flow,
  experiment int not null,
  run int not null,
  scope text not null,
  dataset text not null,
  centre text not null,
  -- as the data acquisition counted them; null: the run is still being taken
  files_expected int check (files_expected >= 0),
  opened_at timestamptz not null,
  closed_at timestamptz,
  -- every expected file is registered
  completed_at timestamptz,
  unique (vo, experiment, run),
  constraint only_a_counted_run_is_complete check (completed_at is null or files_expected is not null)
);
create index raw_run_newest on raw_run (vo, id desc);
create index raw_run_unfinished on raw_run (id) where completed_at is null;

create table raw_file (
  id bigint generated always as identity primary key,
  run_id bigint not null references raw_run,
  name text not null,
  stream text not null,
  bytes bigint not null check (bytes > 0),
  adler32 text not null check (adler32 ~ '^[0-9a-f]{8}$'),
  md5 text check (md5 ~ '^[0-9a-f]{32}$'),
  events bigint not null check (events >= 0),
  state text not null default 'recorded' check (state in
    ('recorded', 'landed', 'verified', 'registered', 'archived', 'second_copy', 'releasable', 'released')),
  -- of the catalogue
  file_id bigint unique,
  -- why it does not go on; empty: nothing is wrong
  problem text not null default '',
  -- when the landing storage is asked next
  look_at timestamptz,
  -- when it was first in each state
  recorded_at timestamptz not null,
  landed_at timestamptz,
  verified_at timestamptz,
  registered_at timestamptz,
  archived_at timestamptz,
  second_copy_at timestamptz,
  releasable_at timestamptz,
  released_at timestamptz,
  released_by text,
  -- the two verified copies that were there when it was released
  tape_rse text,
  tape_site text,
  other_rse text,
  other_site text,
  unique (run_id, name),
  constraint registered_is_in_the_catalogue check (state in ('recorded', 'landed', 'verified') or file_id is not null),
  constraint released_only_with_two_copies check (state <> 'released' or (released_at is not null and tape_rse is not null
    and other_rse is not null and tape_rse <> other_rse and tape_site <> other_site)),
  constraint released_stays_released check (released_at is null or state = 'released')
);
create index raw_file_look on raw_file (look_at) where look_at is not null;
create index raw_file_on_its_way on raw_file (id) where state in ('registered', 'archived', 'second_copy', 'releasable');
create index raw_file_recent on raw_file (recorded_at);
