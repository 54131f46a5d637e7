-- Minutes of a day by the state of what people depend on, as the server saw it; minutes in which nobody looked are those
-- in which the grid itself was away.
create table status_day (
  vo text not null,
  service text not null,
  day date not null,
  ok int not null default 0,
  degraded int not null default 0,
  down int not null default 0,
  -- announced beforehand
  maintenance int not null default 0,
  unknown int not null default 0,
  last_at timestamptz not null,
  primary key (vo, service, day)
);
