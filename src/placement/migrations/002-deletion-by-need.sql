-- Copies that deletion looked at and left for now: not looked at again before the time, so that those behind them
-- get their turn.
create table deletion_refused (
  file_id bigint not null,
  rse_id int not null,
  reason text not null,
  again_at timestamptz not null,
  primary key (file_id, rse_id)
);
create index deletion_refused_again on deletion_refused (again_at);

-- Bytes that were purged at a storage; counted as free until the storage is measured again.
create table freed_space (
  rse_id int not null,
  bytes bigint not null,
  at timestamptz not null
);
create index freed_space_rse on freed_space (rse_id, at);

create index deletion_rse on deletion (rse_id);
