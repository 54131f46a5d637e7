-- Small archives that travel with jobs. The bytes lie under their sha256, once for all owners of a VO who showed them.
create table sandbox (
  id bigint generated always as identity primary key,
  vo text not null,
  owner_id int not null,
  owner text not null,
  -- as it stands in the name on the wire
  group_name text not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  format text not null,
  bytes bigint not null check (bytes > 0),
  created_at timestamptz not null,
  -- when it was last announced or given to a job
  used_at timestamptz not null,
  -- null: the bytes are not here (yet)
  stored_at timestamptz,
  -- nothing refers to it and its bytes are being removed
  condemned boolean not null default false,
  unique (vo, owner_id, group_name, sha256, format)
);
create index sandbox_content on sandbox (vo, sha256);
create index sandbox_used on sandbox (used_at) where not condemned;
create index sandbox_condemned on sandbox (id) where condemned;

create table job_sandbox (
  job_id bigint not null,
  sandbox_id bigint not null references sandbox,
  kind text not null check (kind in ('input', 'output')),
  primary key (sandbox_id, job_id, kind)
);
create index job_sandbox_of on job_sandbox (job_id);
