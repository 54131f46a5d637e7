-- The first tasks of a step are found at once, whatever others there are.
create index production_task_of_step on production_task (step_id, id);
