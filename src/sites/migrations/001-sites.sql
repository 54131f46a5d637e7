create table site (
  id int generated always as identity primary key,
  vo text not null,
  name text not null check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  title text not null,
  country text not null check (country ~ '^[A-Z]{2}$'),
  latitude double precision not null check (latitude between -90 and 90),
  longitude double precision not null check (longitude between -180 and 180),
  created_at timestamptz not null,
  unique (vo, name)
);

-- The gateway program of a site; it dials out to the server and reports.
create table gateway (
  id int generated always as identity primary key,
  site_id int not null references site,
  name text not null unique,
  client_id text not null,
  -- Base URL of its storage door, e.g. https://gw.kek.example:8443
  endpoint text not null,
  version text not null default '',
  registered_at timestamptz not null,
  last_seen_at timestamptz,
  -- latest report: {areas: [{path, totalBytes, usedBytes, files}], rssBytes, …}
  report jsonb not null default '{}'
);

-- Work for a gateway to fetch: an intent with an idempotent executor there.
create table gateway_command (
  id uuid primary key,
  gateway_id int not null references gateway,
  kind text not null,
  payload jsonb not null,
  state text not null default 'queued' check (state in ('queued', 'sent', 'done', 'failed')),
  created_at timestamptz not null,
  sent_at timestamptz,
  deadline timestamptz not null,
  finished_at timestamptz,
  result jsonb
);
create index on gateway_command (gateway_id, created_at) where state in ('queued', 'sent');
