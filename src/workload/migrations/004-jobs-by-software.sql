-- Who asks for the jobs that use a repository finds their submissions at once.
create index job_body_software on job_body (vo, (spec #>> '{software,repository}'), id desc)
  where spec #>> '{software,repository}' is not null;
