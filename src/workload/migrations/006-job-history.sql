-- How many jobs ever came into a state: what ended in an hour is the difference of two numbers.
alter table job_count add column arrived bigint not null default 0;
-- How many jobs were in each state at a time, and how many had come into each that ends; a row a minute, later fewer.
create table job_history (
  vo text not null,
  at timestamptz not null,
  counts jsonb not null,
  arrived jsonb not null,
  primary key (vo, at)
);
