-- What the field's own programs tell of jobs and pilots.
create table job_parameter (
  job_id bigint not null,
  name text not null,
  value text not null,
  primary key (job_id, name)
);
alter table pilot
  add column grid_type text not null default 'DIRAC',
  add column queue text not null default '',
  add column benchmark double precision not null default 0,
  add column accounting_sent boolean not null default false;
