-- Sites that spoilt a start of the jobs of a queue: they go elsewhere while there is an elsewhere.
alter table job_queue add column spoilt_at text[] not null default '{}';
