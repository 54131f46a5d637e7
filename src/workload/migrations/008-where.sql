-- The machine on which a pilot runs, as it calls itself.
alter table pilot add column node text;
-- Storages that a start was sent to first, for its inputs and its outputs.
alter table job_attempt add column input_rse text, add column output_rse text;
