-- How quickly a step gets on is seen from the last tasks that were verified.
create index production_task_verified on production_task (step_id, updated_at) where state = 'verified';
