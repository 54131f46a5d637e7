-- When a pilot first said that it runs.
alter table pilot add column began_at timestamptz;
create index pilot_began on pilot (resource_id, began_at) where began_at is not null;
