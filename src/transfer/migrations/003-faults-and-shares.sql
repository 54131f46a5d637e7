-- A storage that failed again and again on one side of transfers. Until blocked_until nothing is started there; then
-- one transfer tries, while the time is moved on, and its outcome opens the storage or doubles the pause.
create table storage_fault (
  rse_id int not null,
  side text not null check (side in ('source', 'destination')),
  since timestamptz not null,
  blocked_until timestamptz not null,
  pause_ms int not null,
  reason text not null,
  primary key (rse_id, side)
);
alter table link drop column blocked_until;

-- The queues of a destination, one per activity; in each a step of priority is worth an hour of waiting.
drop index transfer_queue;
create index transfer_queue on transfer (dst_rse_id, vo, activity,
  ((not_before - timestamptz '2000-01-01 00:00:00+00') - priority * interval '1 hour')) where state = 'queued';
drop index transfer_due;
create index transfer_due on transfer (not_before) where state = 'queued';
