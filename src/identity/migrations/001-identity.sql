create table vo (
  id text primary key check (id ~ '^[a-z][a-z0-9-]{0,31}$'),
  title text not null,
  -- Where the VO's storage area begins; token paths are relative to it.
  storage_prefix text not null,
  created_at timestamptz not null
);

-- One account is a person, a group or a service; many identities may map to it.
create table account (
  id int generated always as identity primary key,
  uuid uuid not null unique,
  vo text not null references vo,
  name text not null check (name ~ '^[a-z0-9_-]{1,25}$'),
  kind text not null check (kind in ('USER', 'GROUP', 'SERVICE')),
  status text not null default 'ACTIVE' check (status in ('ACTIVE', 'SUSPENDED', 'DELETED')),
  email text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  suspended_at timestamptz,
  deleted_at timestamptz,
  unique (vo, name)
);

create table account_attribute (
  account_id int not null references account,
  key text not null,
  value text not null,
  primary key (account_id, key)
);

-- USERPASS (identity = user name), OIDC (SUB=…, ISS=…), X509 (DN), SSH.
create table account_identity (
  account_id int not null references account,
  kind text not null check (kind in ('USERPASS', 'OIDC', 'X509', 'SSH')),
  identity text not null,
  -- scrypt: `scrypt$N$r$p$salt$hash`, base64url
  password_hash text,
  is_default boolean not null default false,
  created_at timestamptz not null,
  primary key (kind, identity, account_id)
);
create index on account_identity (account_id);

create table grp (
  id int generated always as identity primary key,
  vo text not null references vo,
  path text not null check (path ~ '^/[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*$'),
  optional boolean not null default false,
  created_at timestamptz not null,
  unique (vo, path)
);
create table membership (
  account_id int not null references account,
  grp_id int not null references grp,
  since timestamptz not null,
  until timestamptz,
  primary key (account_id, grp_id)
);

-- Services and robots. The secret is hashed; scopes is the most it may ask for.
create table oauth_client (
  id text primary key,
  vo text not null references vo,
  account_id int not null references account,
  secret_hash text,
  grants text[] not null,
  scopes text[] not null,
  audiences text[] not null default '{}',
  enabled boolean not null default true,
  created_at timestamptz not null,
  last_used_at timestamptz
);

create table signing_key (
  kid text primary key,
  vo text not null references vo,
  alg text not null check (alg in ('ES256', 'RS256')),
  public_jwk jsonb not null,
  -- AES-256-GCM under the key kept in the home directory, outside the database
  private_sealed bytea not null,
  published_at timestamptz not null,
  active_from timestamptz not null,
  retire_at timestamptz not null
);
create index on signing_key (vo, active_from);

create table revoked_token (
  jti text primary key,
  expires_at timestamptz not null
);

create table one_time_login (
  code_hash bytea primary key,
  account_id int not null references account,
  expires_at timestamptz not null,
  used_at timestamptz
);

-- Deny unless a row allows; an explicit deny wins. Patterns: action `catalog.*`; resource `*`, `owner`, `/path/prefix`.
create table authz_rule (
  id int generated always as identity primary key,
  vo text not null references vo,
  subject_kind text not null check (subject_kind in ('everyone', 'group', 'account', 'attribute')),
  subject text not null default '',
  action text not null,
  resource text not null default '*',
  effect text not null default 'allow' check (effect in ('allow', 'deny')),
  comment text not null default '',
  unique (vo, subject_kind, subject, action, resource, effect)
);

create table login_failure (
  key text primary key,
  failures int not null,
  window_started_at timestamptz not null
);
