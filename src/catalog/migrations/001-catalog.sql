create table scope (
  id int generated always as identity primary key,
  vo text not null,
  name text not null check (name ~ '^[a-zA-Z_\-.0-9]{1,25}$'),
  account_id int not null,
  status text not null default 'OPEN' check (status in ('OPEN', 'CLOSED', 'DELETED')),
  created_at timestamptz not null,
  unique (vo, name)
);

create table rse (
  id int generated always as identity primary key,
  uuid uuid not null unique,
  vo text not null,
  name text not null check (name ~ '^[A-Z0-9]+([_-][A-Z0-9]+)*$'),
  kind text not null default 'DISK' check (kind in ('DISK', 'TAPE')),
  deterministic boolean not null default true,
  volatile boolean not null default false,
  staging_area boolean not null default false,
  can_read boolean not null default true,
  can_write boolean not null default true,
  can_delete boolean not null default true,
  city text, region_code text, country_name text, continent text, time_zone text, isp text, asn text,
  latitude double precision, longitude double precision,
  qos_class text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz
);
create unique index rse_name on rse (vo, name) where deleted_at is null;

create table rse_attribute (
  rse_id int not null references rse,
  key text not null,
  value jsonb not null,
  primary key (rse_id, key)
);

create table rse_protocol (
  rse_id int not null references rse,
  scheme text not null,
  hostname text not null,
  port int not null,
  prefix text not null,
  impl text not null,
  domains jsonb not null,
  extended_attributes jsonb,
  primary key (rse_id, scheme, hostname, port)
);

create table rse_limit (
  rse_id int not null references rse,
  name text not null,
  value bigint not null,
  primary key (rse_id, name)
);

create table rse_distance (
  src_id int not null references rse,
  dst_id int not null references rse,
  distance int not null,
  primary key (src_id, dst_id)
);

-- Used space as others measured it (source `storage`, …); what the catalogue holds is source `rucio`.
create table rse_usage (
  rse_id int not null references rse,
  source text not null,
  used bigint not null,
  free bigint,
  files bigint,
  updated_at timestamptz not null,
  primary key (rse_id, source)
);

-- File and collection ids come from one sequence, so an id says which thing is meant without its kind.
create sequence did_id as bigint cache 1000;

-- Rows stay after deletion (deleted_at), so that a name is never used again. A collection reserves its name here too
-- (is_collection, same id), so that this one unique index keeps names apart, whoever races whom, and every look-up of
-- a name is one probe.
create table file (
  id bigint primary key default nextval('did_id'),
  scope_id int not null,
  name text collate "C" not null,
  bytes bigint not null check (bytes >= 0),
  adler32 int,
  md5 bytea check (length(md5) = 16),
  guid uuid,
  account_id int not null,
  created_at timestamptz not null,
  availability "char" not null default 'A' check (availability in ('A', 'L', 'D')),
  is_collection boolean not null default false,
  deleted_at timestamptz,
  unique (scope_id, name)
);

create table collection (
  id bigint primary key default nextval('did_id'),
  scope_id int not null,
  name text collate "C" not null,
  kind "char" not null check (kind in ('D', 'C')),
  open boolean not null default true,
  monotonic boolean not null default false,
  account_id int not null,
  -- exact: base here, changes of the last second in counter_delta
  n_files bigint not null default 0,
  bytes bigint not null default 0,
  meta jsonb not null default '{}',
  expires_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  closed_at timestamptz,
  deleted_at timestamptz,
  unique (scope_id, name)
);
create index collection_expiry on collection (expires_at) where expires_at is not null and deleted_at is null;
create index collection_meta on collection using gin (meta jsonb_path_ops);

create table file_meta (
  file_id bigint primary key,
  doc jsonb not null
);
create index file_meta_doc on file_meta using gin (doc jsonb_path_ops);

-- dataset → file
create table content (
  parent_id bigint not null,
  child_id bigint not null,
  primary key (parent_id, child_id)
);
create index content_child on content (child_id);

-- container → dataset or container
create table tree (
  parent_id bigint not null,
  child_id bigint not null,
  primary key (parent_id, child_id)
);
create index tree_child on tree (child_id);

-- A available, U unavailable, C copying, B being deleted, D bad, S suspicious, T temporarily unavailable.
-- tombstone: null = protected; otherwise unprotected and deletable from then on.
create table replica (
  file_id bigint not null,
  rse_id int not null,
  state "char" not null check (state in ('A', 'U', 'C', 'B', 'D', 'S', 'T')),
  tombstone timestamptz,
  verified_at timestamptz,
  path text,
  primary key (file_id, rse_id)
) partition by hash (file_id);
do $$ begin
  for i in 0..15 loop
    execute format('create table replica_%s partition of replica for values with (modulus 16, remainder %s) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01)', i, i);
  end loop;
end $$;
create index replica_tombstone on replica (rse_id, tombstone) where tombstone is not null;
create index replica_not_ok on replica (rse_id, file_id) where state <> 'A';
create index replica_rse on replica (rse_id, file_id);
-- Paths are long and stored at few storages: a hash is enough to find the name behind one.
create index replica_path on replica using hash (path) where path is not null;

-- How complete a dataset is at an RSE; exact as base + delta like every counter.
create table collection_replica (
  collection_id bigint not null,
  rse_id int not null,
  n_files bigint not null default 0,
  bytes bigint not null default 0,
  primary key (collection_id, rse_id)
);
create index collection_replica_rse on collection_replica (rse_id);

-- Insert-only counter changes, written in the transaction that caused them and folded into their base by a worker.
-- kind: 'collection' (key1 = id), 'collection_replica' (key1 = id, key2 = rse), 'rse' (key1 = rse; available bytes)
create table counter_delta (
  id bigint generated always as identity primary key,
  kind text not null,
  key1 bigint not null,
  key2 bigint not null default 0,
  d_files bigint not null,
  d_bytes bigint not null
);
create index counter_delta_key on counter_delta (kind, key1, key2);

create table bad_replica (
  id bigint generated always as identity primary key,
  file_id bigint not null,
  rse_id int not null,
  state text not null check (state in ('BAD', 'SUSPICIOUS', 'RECOVERED', 'LOST')),
  reason text not null,
  account_id int,
  at timestamptz not null,
  resolved_at timestamptz
);
create index on bad_replica (rse_id, at);
create index on bad_replica (file_id) where resolved_at is null;

create table trace (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  vo text not null,
  body jsonb not null
);
