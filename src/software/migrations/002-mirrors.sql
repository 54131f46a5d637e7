-- Repositories of others that are served here, too: read through, or copied whole. The row of the repository holds what
-- was verified last; nothing is signed here.
create table software_mirror (
  repository_id int primary key references software_repository,
  -- Addresses of the original and of its copies, the preferred first.
  urls text[] not null check (cardinality(urls) between 1 and 8),
  account text not null,
  -- When its manifest was verified last, and when it is looked at again.
  checked_at timestamptz not null,
  next_check_at timestamptz not null,
  failed_at timestamptz,
  failure text,
  -- A complete copy: whether it is to be one, what of it is here, when it is worked at again.
  copy_wanted boolean not null default false,
  copy_next_at timestamptz,
  copied_manifest bytea,
  copied_revision bigint,
  copied_at timestamptz,
  copy_objects bigint not null default 0,
  copy_bytes bigint not null default 0,
  copy_failure text
);
create index software_mirror_next_check on software_mirror (next_check_at);

alter table software_repository drop constraint software_repository_algorithm_check;
alter table software_repository add constraint software_repository_algorithm_check
  check (algorithm in ('sha1', 'rmd160', 'shake128'));
alter table software_revision drop constraint software_revision_kind_check;
alter table software_revision add constraint software_revision_kind_check
  check (kind in ('publish', 'rollback', 'mirror'));
