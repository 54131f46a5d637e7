-- Ids grow: entries in ascending order fill their pages, those in descending order leave them half empty.
drop index job_newest, job_owner, job_state;
create index job_newest on job (vo, id);
create index job_owner on job (vo, owner_id, id);
create index job_state on job (vo, state, id);
-- Jobs that are or were at a site; those that wait are not in it.
create index job_site on job (vo, site, state, id) where site is not null;

-- How many jobs of a site are in a state: base here, changes of the last seconds in job_delta.
create table job_site_count (
  vo text not null,
  site text not null,
  state smallint not null,
  n bigint not null,
  primary key (vo, site, state)
);
-- null: the change is at no site
alter table job_delta add column site text;
insert into job_site_count (vo, site, state, n)
select vo, site, state, count(*) from job where site is not null group by 1, 2, 3;

-- A fifth of very many jobs is too many to wait for.
alter table job set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
