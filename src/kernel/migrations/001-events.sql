-- Every fact worth telling others is a row written in the transaction that made it true. Readers go on from
-- (xact, id) and read only below the snapshot's xmin, so that a slow transaction is never skipped.
create table event (
  id bigint generated always as identity primary key,
  xact xid8 not null default pg_current_xact_id(),
  at timestamptz not null,
  vo text not null,
  kind text not null,
  subject text not null,
  payload jsonb not null default '{}'
);
create index event_order on event (xact, id);
create index event_subject on event (vo, subject, id);

create table event_cursor (
  consumer text primary key,
  xact xid8 not null,
  id bigint not null
);
