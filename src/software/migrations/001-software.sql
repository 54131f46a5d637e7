create table software_repository (
  id int generated always as identity primary key,
  vo text not null,
  name text not null unique check (length(name) <= 60 and name ~ '^[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)+$'),
  title text not null,
  algorithm text not null check (algorithm in ('sha1', 'shake128')),
  ttl_seconds int not null default 240 check (ttl_seconds > 0),
  master_public_pem text not null,
  -- Null: the master key is kept elsewhere and whitelists are brought.
  master_key bytea,
  -- What is served: the manifest is replaced in the transaction that makes a revision.
  revision bigint not null default 0,
  root_hash text,
  root_size bigint not null default 0,
  manifest bytea,
  published_at timestamptz,
  whitelist bytea,
  whitelist_expires_at timestamptz,
  created_at timestamptz not null
);

create table software_key (
  id int generated always as identity primary key,
  repository_id int not null references software_repository,
  certificate_pem text not null,
  private_key bytea not null,
  created_at timestamptz not null,
  -- The newest key signs; older ones stay listed until then, for clients with an older manifest.
  listed_until timestamptz
);
create index software_key_repository on software_key (repository_id, id desc);

create table software_revision (
  repository_id int not null references software_repository,
  revision bigint not null,
  root_hash text not null,
  root_size bigint not null,
  kind text not null check (kind in ('publish', 'rollback')),
  path text not null,
  account text not null,
  source text not null,
  at timestamptz not null,
  added bigint not null default 0,
  changed bigint not null default 0,
  removed bigint not null default 0,
  -- Its trees were given up: the objects only it used are gone.
  dropped_at timestamptz,
  primary key (repository_id, revision)
);

create table software_tag (
  repository_id int not null references software_repository,
  name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$' and name not in ('trunk', 'trunk-previous')),
  revision bigint not null,
  description text not null,
  account text not null,
  at timestamptz not null,
  primary key (repository_id, name),
  foreign key (repository_id, revision) references software_revision
);

-- Somebody is publishing below a path. Nobody else may, below or above it, until it ends or expires.
create table software_publication (
  id uuid primary key,
  repository_id int not null references software_repository,
  path text not null,
  account text not null,
  source text not null,
  base bigint not null,
  opened_at timestamptz not null,
  expires_at timestamptz not null,
  state text not null default 'open' check (state in ('open', 'committed', 'cancelled', 'expired')),
  revision bigint
);
create index software_publication_open on software_publication (repository_id) where state = 'open';

create table software_pack (
  id uuid primary key,
  repository_id int not null references software_repository,
  bytes bigint not null,
  created_at timestamptz not null,
  -- Nothing in it is used any more; the file is to be removed.
  dropped_at timestamptz
);
create index software_pack_dropped on software_pack (dropped_at) where dropped_at is not null;

create table software_object (
  repository_id int not null references software_repository,
  hash bytea not null check (length(hash) = 20),
  -- SHA-256 of the content before compression; null for what the server writes itself.
  plain bytea,
  pack_id uuid not null references software_pack,
  start bigint not null,
  length int not null,
  -- When somebody last counted on it.
  wanted_at timestamptz not null,
  primary key (repository_id, hash)
);
create index software_object_plain on software_object (repository_id, plain) where plain is not null;
create index software_object_pack on software_object (pack_id);

insert into authz_rule (vo, subject_kind, action, resource)
select vo.id, 'everyone', 'software.read', '*' from vo
on conflict do nothing;
