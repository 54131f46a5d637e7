-- With which algorithm the VO signs. A change takes effect when the new key has been published long enough.
alter table vo add column token_alg text not null default 'ES256' check (token_alg in ('ES256', 'RS256'));

-- A client id is unique within its issuer; labels know the client by number, as they do accounts and groups.
alter table oauth_client add column number int generated always as identity unique;
drop view label_seen;
alter table label rename column client_id to client_name;
alter table label add column client_id int references oauth_client (number) on delete cascade;
update label set client_id = c.number from oauth_client c where c.id = label.client_name;
alter table label drop column client_name;
alter table label
  add check (num_nonnulls(account_id, grp_id, client_id) = 1),
  add unique nulls not distinct (account_id, grp_id, client_id, prefix, name);
create index on label (client_id) where client_id is not null;
create view label_seen as
  select account_id, grp_id, client_id, prefix, name, value from label
  union all select null, id, null, '', 'wlcg.optional-group', '' from grp where optional
  union all select null, id, null, '', 'voms.role', '' from grp where role
  union all select id, null, null, '', 'lifecycle.status', ending from account where ending is not null
  union all select id, null, null, '', 'lifecycle.timestamp', (extract(epoch from ending_since) * 1000)::bigint::text
    from account where ending is not null;
alter table oauth_client drop constraint oauth_client_pkey;
alter table oauth_client add primary key (vo, id);
-- Without an account a client acts for people only, never for itself.
alter table oauth_client alter column account_id drop not null;
alter table oauth_client
  add column name text not null default '',
  add column description text not null default '',
  add column origin text not null default 'admin' check (origin in ('grid', 'admin', 'registered')),
  add column redirect_uris text[] not null default '{}',
  -- secret: HTTP Basic or form; key: private_key_jwt; none: a public client
  add column auth text not null default 'secret' check (auth in ('secret', 'key', 'none')),
  add column jwks jsonb,
  -- The secret before the last rotation, while both are good.
  add column previous_secret_hash text,
  add column previous_secret_until timestamptz,
  add column access_seconds int not null default 3600 check (access_seconds between 60 and 21600),
  add column refresh_seconds int not null default 2592000 check (refresh_seconds between 3600 and 34560000),
  add column refresh_use text not null default 'rotate' check (refresh_use in ('rotate', 'reuse')),
  add column grace_seconds int not null default 300 check (grace_seconds between 0 and 86400);

create table client_owner (
  vo text not null,
  client_id text not null,
  account_id int not null references account,
  primary key (vo, client_id, account_id),
  foreign key (vo, client_id) references oauth_client on delete cascade
);
create index on client_owner (account_id);

-- A browser on its way from a client through login and consent back to the client.
create table oauth_interaction (
  id_hash bytea primary key,
  vo text not null,
  client_id text not null,
  redirect_uri text not null,
  state text,
  nonce text,
  challenge text not null,
  scopes text[] not null,
  audience text[] not null,
  -- The login must be younger (prompt=login, max_age).
  login_after timestamptz,
  ask_consent boolean not null,
  expires_at timestamptz not null,
  decided_at timestamptz,
  foreign key (vo, client_id) references oauth_client on delete cascade
);
create index on oauth_interaction (expires_at);

create table authorization_code (
  code_hash bytea primary key,
  -- Names everything given for it, so that all of it can be taken back.
  grant_id uuid not null,
  vo text not null,
  client_id text not null,
  account_id int not null references account,
  redirect_uri text not null,
  nonce text,
  challenge text not null,
  scopes text[] not null,
  audience text[] not null,
  authenticated_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  foreign key (vo, client_id) references oauth_client on delete cascade
);
create index on authorization_code (expires_at);

create table device_grant (
  device_hash bytea primary key,
  user_hash bytea not null unique,
  vo text not null,
  client_id text not null,
  scopes text[] not null,
  audience text[] not null,
  -- From where it was asked for, shown to the person who approves.
  address text not null,
  state text not null default 'pending' check (state in ('pending', 'approved', 'denied', 'used')),
  account_id int references account,
  authenticated_at timestamptz,
  interval_seconds int not null,
  polled_at timestamptz,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  foreign key (vo, client_id) references oauth_client on delete cascade
);
create index on device_grant (expires_at);
create index on device_grant (address, created_at);

create table oauth_consent (
  account_id int not null references account,
  vo text not null,
  client_id text not null,
  scopes text[] not null,
  given_at timestamptz not null,
  primary key (account_id, vo, client_id),
  foreign key (vo, client_id) references oauth_client on delete cascade
);

-- A lasting permission a person gave a client; all refresh tokens of it are one family.
create table token_grant (
  id uuid primary key,
  vo text not null,
  client_id text not null,
  account_id int not null references account,
  -- `sub` of its tokens: the account's uuid, or the client a service began with
  subject text not null,
  scopes text[] not null,
  audience text[] not null,
  -- Who acts for the person, the present actor first (RFC 8693).
  actors text[] not null default '{}',
  authenticated_at timestamptz not null,
  created_at timestamptz not null,
  used_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_reason text,
  foreign key (vo, client_id) references oauth_client on delete cascade
);
create index on token_grant (account_id);
create index on token_grant (vo, client_id);
create index on token_grant (expires_at);

create table refresh_token (
  token_hash bytea primary key,
  grant_id uuid not null references token_grant on delete cascade,
  created_at timestamptz not null,
  replaced_at timestamptz
);
create index on refresh_token (grant_id);
create index on refresh_token (created_at);

-- A proof that a client made with its key serves once.
create table used_assertion (
  key text primary key,
  expires_at timestamptz not null
);

create table web_session (
  secret_hash bytea primary key,
  id uuid not null unique,
  vo text not null references vo,
  account_id int not null references account,
  address text not null,
  user_agent text not null,
  created_at timestamptz not null,
  seen_at timestamptz not null,
  expires_at timestamptz not null
);
create index on web_session (account_id);
create index on web_session (expires_at);

create table scope_policy (
  id uuid primary key,
  vo text not null references vo,
  subject_kind text not null check (subject_kind in ('account', 'client', 'group', 'people', 'services')),
  subject text not null default '',
  effect text not null check (effect in ('permit', 'deny')),
  matching text not null check (matching in ('exact', 'path')),
  -- none: all scopes
  scopes text[] not null,
  description text not null default ''
);
create index on scope_policy (vo);

-- Whose tokens a client may exchange for its own; nothing without a row, and the most specific row alone counts.
create table exchange_policy (
  id uuid primary key,
  vo text not null references vo,
  -- client the subject token was issued to, and the client that asks; '*' is any
  origin text not null,
  destination text not null,
  -- audiences of which the subject token must carry one; none: the id of the asking client
  subject_audiences text[] not null,
  scopes text[] not null,
  -- none: any audience
  audiences text[] not null,
  refresh boolean not null default false,
  description text not null default '',
  unique (vo, origin, destination)
);

insert into scope_policy (id, vo, subject_kind, effect, matching, scopes, description)
select gen_random_uuid(), id, 'people', 'permit', 'path',
  array['openid', 'profile', 'email', 'offline_access', 'wlcg', 'wlcg:1.0', 'wlcg.groups', 'eduperson_entitlement',
    'eduperson_scoped_affiliation', 'fts', 'grid', 'storage.read:/', 'storage.modify:/', 'storage.stage:/'],
  'What a login carries' from vo
union all
select gen_random_uuid(), id, 'services', 'permit', 'path', '{}', 'Everything registered for the client' from vo;
