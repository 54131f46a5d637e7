-- Whoever is in the group of shifts looks after the grid.
insert into authz_rule (vo, subject_kind, subject, action, resource)
select vo.id, 'group', '/' || vo.id || '/shifts', 'operations.*', '*' from vo
on conflict do nothing;
