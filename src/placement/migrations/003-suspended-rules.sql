-- How often transfers gave a copy up: its next try comes later each time.
alter table placement_gap add column failures int not null default 0;
create index placement_gap_tried on placement_gap (rule_id) where failures > 0;

-- Why a rule cannot be placed at present; it is evaluated again later.
alter table rule add column placement_error text;

-- queued_at may lie in the future: an evaluation that failed is not repeated at once.
create index evaluation_queue_order on evaluation_queue (queued_at);
