-- Pilots that ran at a site in ten minutes, as they were last seen.
create table pilot_level (
  vo text not null,
  site text not null,
  start timestamptz not null,
  running int not null,
  primary key (vo, site, start)
);
create index pilot_level_start on pilot_level (start);

-- What a storage held on a day, as it last said.
create table storage_level (
  rse_id int not null,
  day date not null,
  used bigint not null,
  primary key (rse_id, day)
);
