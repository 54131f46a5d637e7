-- What the detector keeps between two looks; its row is the lock of those who look.
create table detector (
  vo text primary key,
  memory jsonb not null,
  looked_at timestamptz
);

-- What a person has to look at, by cause.
create table card (
  id bigint generated always as identity primary key,
  vo text not null,
  -- names it among open cards
  key text not null,
  title text not null,
  state text not null default 'NEW' check (state in ('NEW', 'ACK', 'WORKING', 'DOWNTIME', 'RETIRED', 'CLOSED')),
  severity text not null check (severity in ('info', 'warn', 'error', 'critical')),
  entity jsonb,
  cause jsonb,
  entities jsonb not null,
  findings jsonb not null,
  first_seen timestamptz not null,
  last_seen timestamptz not null,
  acknowledged_at timestamptz,
  owner text,
  expires timestamptz,
  escalation text not null default 'none' check (escalation in ('none', 'expert', 'DC')),
  stale boolean not null default false,
  opened_at timestamptz not null,
  closed_at timestamptz,
  closed_by text,
  -- the card that explains it
  merged_into bigint,
  check ((closed_at is null) = (state <> 'CLOSED'))
);
create unique index card_open on card (vo, key) where closed_at is null;
create index card_newest on card (vo, id desc);

-- The history of a card; author null: the grid itself.
create table card_change (
  id bigint generated always as identity primary key,
  card_id bigint not null references card,
  at timestamptz not null,
  author text,
  kind text not null,
  text text not null default ''
);
create index card_change_of on card_change (card_id, id);

-- States of sites as they changed.
create table site_change (
  vo text not null,
  site text not null,
  at timestamptz not null,
  state text not null,
  reason text,
  explanation text,
  primary key (vo, site, at)
);

-- Who watches when.
create table shift (
  id bigint generated always as identity primary key,
  vo text not null,
  kind text not null check (kind in ('DP', 'expert', 'DC')),
  person text not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  started_at timestamptz,
  -- what the next one is told
  handover text,
  ended_at timestamptz,
  check (ends_at > starts_at)
);
create index shift_of on shift (vo, ends_at);

-- What happened, for those who come after; author null: written by the grid itself.
create table shift_entry (
  id bigint generated always as identity primary key,
  vo text not null,
  shift_id bigint references shift,
  at timestamptz not null,
  author text,
  kind text not null,
  text text not null,
  card_id bigint references card,
  site text
);
create index shift_entry_newest on shift_entry (vo, id desc);
