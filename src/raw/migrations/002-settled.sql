-- What a run holds all of whose files are released: nothing of it changes any more, so nobody adds it up again.
alter table raw_run add column settled_files int, add column settled_bytes bigint;
create index raw_run_unsettled on raw_run (flow_id) where settled_files is null;
