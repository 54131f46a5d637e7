-- What a link carried when it was full, in ten minutes in which it was.
create table link_level (
  src_rse_id int not null,
  dst_rse_id int not null,
  start timestamptz not null,
  bytes_per_s double precision not null,
  primary key (src_rse_id, dst_rse_id, start)
);
create index link_level_start on link_level (start);
