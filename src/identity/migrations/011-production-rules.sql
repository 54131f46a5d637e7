-- Everybody sees productions; whoever is in the production group makes them.
insert into authz_rule (vo, subject_kind, subject, action, resource)
select vo.id, rule.kind, rule.subject, rule.action, '*'
from vo, lateral (values ('everyone', '', 'production.read'), ('group', '/' || vo.id || '/production', 'production.*'))
  as rule (kind, subject, action)
on conflict do nothing;
