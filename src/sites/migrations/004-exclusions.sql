-- What shall get less new work for a while, or none, and who said so. A person's word stands before the machine's.
create table exclusion (
  id bigint generated always as identity primary key,
  vo text not null,
  site text not null,
  -- one place of the site; null: all of them
  resource text,
  -- keep: a person holds it in, whatever the machine thinks
  action text not null check (action in ('exclude', 'throttle', 'keep')),
  reason text not null,
  -- null: the machine
  made_by text,
  made_at timestamptz not null,
  until timestamptz not null,
  ended_by text,
  ended_at timestamptz,
  check (until > made_at),
  constraint only_people_keep check (action <> 'keep' or made_by is not null)
);
create index exclusion_ahead on exclusion (vo, until) where ended_at is null;
create index exclusion_newest on exclusion (vo, made_at desc);
