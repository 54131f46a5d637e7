-- Everybody sees jobs, owners submit and control theirs, pilots take them.
insert into authz_rule (vo, subject_kind, subject, action, resource)
select vo.id, rule.kind, rule.subject, rule.action, rule.resource
from vo, (values ('everyone', '', 'workload.read', '*'), ('everyone', '', 'workload.submit', 'owner'),
  ('everyone', '', 'workload.control', 'owner'), ('attribute', 'pilots', 'workload.pilot', '*'))
  as rule (kind, subject, action, resource)
on conflict do nothing;
