-- Everybody sees where raw data is; the computers of the detector declare it and ask what may go.
insert into authz_rule (vo, subject_kind, subject, action, resource)
select vo.id, rule.kind, rule.subject, rule.action, '*'
from vo, lateral (values ('everyone', '', 'raw.read'), ('group', '/' || vo.id || '/daq', 'raw.declare'),
  ('group', '/' || vo.id || '/daq', 'raw.release')) as rule (kind, subject, action)
on conflict do nothing;
