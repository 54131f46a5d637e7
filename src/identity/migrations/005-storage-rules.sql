-- What the token of a login carries at storages follows from the policy: everybody reads, owners write below their own.
insert into authz_rule (vo, subject_kind, action, resource)
select vo.id, 'everyone', rule.action, rule.resource
from vo, (values ('storage.stat', '*'), ('storage.list', '*'), ('storage.read', '*'), ('storage.stage', '*'),
  ('storage.poll', '*'), ('storage.*', 'owner')) as rule (action, resource)
on conflict do nothing;
-- Scopes are made by administrators: their names are the directories of a storage.
delete from authz_rule where subject_kind = 'everyone' and action = 'catalog.scope.create' and resource = 'owner'
  and effect = 'allow';
