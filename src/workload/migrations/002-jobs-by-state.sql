-- Few jobs of one state among millions of others are found at once.
create index job_state on job (vo, state, id desc);
