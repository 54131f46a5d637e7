-- People: profile, e-mail addresses, groups as a tree, usage policy, requests, the end of memberships, the audit log.

alter table vo
  add registration_open boolean not null default false,
  -- A registration counts only after the link sent to its e-mail address was used.
  add confirm_email boolean not null default false,
  -- Groups that everybody joins on approval, full paths.
  add default_groups text[] not null default '{}',
  add suspension_grace_days int not null default 7 check (suspension_grace_days between 0 and 3650),
  add removal_grace_days int not null default 30 check (removal_grace_days between 0 and 3650);

alter table account drop constraint account_status_check;
alter table account
  -- PENDING: registered, not yet approved.
  add constraint account_status_check check (status in ('ACTIVE', 'SUSPENDED', 'DELETED', 'PENDING')),
  add given_name text not null default '',
  add family_name text not null default '',
  add institute text not null default '',
  add end_time timestamptz,
  -- How far the end of the membership has taken effect; null while it has not, and for suspensions by hand.
  add ending text check (ending in ('PENDING_SUSPENSION', 'SUSPENDED', 'PENDING_REMOVAL', 'REMOVED')),
  add ending_since timestamptz,
  -- Why the account is in its present status, for the person to read.
  add status_reason text not null default '';
create index on account (vo, end_time) where end_time is not null;
create index on account (vo, ending) where ending is not null;
create index account_removed on account (id) where status = 'DELETED';

create table email (
  account_id int not null references account on delete cascade,
  address text not null,
  is_primary boolean not null,
  verified_at timestamptz
);
create unique index email_once on email (account_id, lower(address));
create unique index email_primary on email (account_id) where is_primary;
create index email_address on email (lower(address));
insert into email (account_id, address, is_primary) select id, email, true from account where email is not null;
alter table account drop column email;

-- Groups: full paths with the VO as root; a VOMS role `/vo/g/Role=r` is the group `/vo/g/r`.
alter table grp
  add uuid uuid not null default gen_random_uuid() unique,
  add parent int references grp,
  add description text not null default '',
  add role boolean not null default false,
  add updated_at timestamptz,
  add constraint a_role_is_optional check (optional or not role);
update grp set path = '/' || vo || path;
update authz_rule set subject = '/' || vo || subject where subject_kind = 'group';
insert into grp (vo, path, created_at) select id, '/' || id, created_at from vo;
insert into grp (vo, path, created_at)
select distinct g.vo, '/' || array_to_string(g.names[1:depth], '/'), g.created_at
from (select vo, created_at, string_to_array(ltrim(path, '/'), '/') as names from grp) g
cross join lateral generate_series(1, cardinality(g.names)) depth
on conflict do nothing;
update grp child set parent = parent.id from grp parent
where parent.vo = child.vo and parent.path = regexp_replace(child.path, '/[^/]+$', '') and child.path <> '/' || child.vo;
update grp set updated_at = created_at;
alter table grp alter updated_at set not null;
create unique index grp_path on grp (vo, path collate "C");
create index on grp (parent);

alter table membership add origin text not null default 'manual';
create index membership_of_group on membership (grp_id, account_id) include (until);
create index membership_end on membership (until) where until is not null;
insert into membership (account_id, grp_id, since, until, origin)
select m.account_id, above.id, min(m.since), null, 'subgroup'
from membership m join grp g on g.id = m.grp_id
join grp above on above.vo = g.vo and starts_with(g.path, above.path || '/')
group by m.account_id, above.id
on conflict do nothing;
insert into membership (account_id, grp_id, since, origin)
select a.id, g.id, a.created_at, 'vo' from account a join grp g on g.vo = a.vo and g.parent is null
where a.kind = 'USER' and a.status <> 'DELETED'
on conflict do nothing;

create table group_manager (
  grp_id int not null references grp on delete cascade,
  account_id int not null references account on delete cascade,
  since timestamptz not null,
  primary key (grp_id, account_id)
);
create index on group_manager (account_id);

-- Keys for programs that keep this VO in step with others, e.g. `hr.cern/cern_person_id`.
create table label (
  account_id int references account on delete cascade,
  grp_id int references grp on delete cascade,
  client_id text references oauth_client on delete cascade,
  prefix text not null default '',
  name text not null,
  value text not null default '',
  check (num_nonnulls(account_id, grp_id, client_id) = 1),
  unique nulls not distinct (account_id, grp_id, client_id, prefix, name)
);
create index on label (name, value);
create index on label (grp_id) where grp_id is not null;
create index on label (client_id) where client_id is not null;
-- Labels as others see them: what the grid keeps in columns of its own counts as a label too.
create view label_seen as
  select account_id, grp_id, client_id, prefix, name, value from label
  union all select null, id, null, '', 'wlcg.optional-group', '' from grp where optional
  union all select null, id, null, '', 'voms.role', '' from grp where role
  union all select id, null, null, '', 'lifecycle.status', ending from account where ending is not null
  union all select id, null, null, '', 'lifecycle.timestamp', (extract(epoch from ending_since) * 1000)::bigint::text
    from account where ending is not null;

-- They become generic attributes of VOMS certificates and, when asked for, of tokens. Policy has its own attributes.
create table generic_attribute (
  account_id int references account on delete cascade,
  grp_id int references grp on delete cascade,
  name text not null,
  value text not null,
  check (num_nonnulls(account_id, grp_id) = 1),
  unique nulls not distinct (account_id, grp_id, name)
);
create index on generic_attribute (grp_id) where grp_id is not null;

create table usage_policy (
  vo text not null references vo,
  version int not null,
  url text,
  text text,
  text_sha256 bytea,
  description text not null default '',
  -- 0: a signature counts for ever.
  validity_days int not null default 0 check (validity_days between 0 and 3650),
  reminder_days int[] not null default '{}',
  -- Signatures older than this count no more.
  sign_from timestamptz not null,
  published_at timestamptz not null,
  published_by text not null,
  withdrawn_at timestamptz,
  primary key (vo, version),
  check (url is not null or text is not null)
);
create table policy_signature (
  account_id int not null references account on delete cascade,
  vo text not null,
  version int not null,
  signed_at timestamptz not null,
  -- The person, or who signed on behalf.
  signed_by text not null,
  withdrawn_at timestamptz,
  primary key (account_id, signed_at),
  foreign key (vo, version) references usage_policy
);
create index on policy_signature (vo, version);

create table request (
  id uuid primary key,
  vo text not null references vo,
  kind text not null check (kind in ('registration', 'group')),
  account_id int references account on delete set null,
  -- Who asks, also after a rejected registration has gone.
  username text not null,
  grp_id int references grp on delete cascade,
  state text not null,
  notes text not null default '',
  created_at timestamptz not null,
  updated_at timestamptz not null,
  decided_by text,
  motivation text not null default '',
  -- SHA-256 of what the link in the e-mail carries.
  confirmation bytea unique,
  check (case kind when 'registration' then state in ('NEW', 'CONFIRMED', 'APPROVED', 'REJECTED') and grp_id is null
    else state in ('PENDING', 'APPROVED', 'REJECTED') and grp_id is not null end)
);
create index request_open on request (vo, kind, created_at) where state in ('NEW', 'CONFIRMED', 'PENDING');
create index request_history on request (vo, kind, created_at);
create unique index one_request_per_group on request (account_id, grp_id) where state = 'PENDING';
create unique index one_registration on request (account_id) where kind = 'registration';
create index on request (grp_id) where grp_id is not null;

-- What people should be told by e-mail. Nothing is lost when no mail server is configured: managers read it here.
create table mail (
  id bigint generated always as identity primary key,
  vo text not null references vo,
  account_id int references account on delete set null,
  recipient text not null,
  kind text not null,
  subject text not null,
  body text not null,
  created_at timestamptz not null,
  sent_at timestamptz,
  -- The same news is told once.
  once text unique
);
create index on mail (vo, id);
create index on mail (id) where sent_at is null;

-- Who did what to whom, append-only; each entry carries the hash of the one before it. One chain for the whole grid.
-- Number and hash are given at commit, so that the order is that of the commits and the chain's lock is held only
-- for that moment.
create table audit (
  id bigint generated always as identity primary key,
  seq bigint,
  at timestamptz not null,
  vo text not null,
  actor text not null,
  action text not null,
  target text not null,
  -- JSON as it was written: the hash is over the text.
  detail text not null,
  previous bytea,
  hash bytea
);
create unique index audit_seq on audit (seq) where seq is not null;
create index audit_vo on audit (vo, seq);
create index audit_target on audit (vo, target, seq);
create index audit_actor on audit (vo, actor, seq);

create function audit_link() returns trigger language plpgsql as $$
declare
  number bigint;
  before bytea;
begin
  perform pg_advisory_xact_lock(7308325);
  select a.seq, a.hash into number, before from audit a where a.seq is not null order by a.seq desc limit 1;
  number := coalesce(number, 0) + 1;
  before := coalesce(before, ''::bytea);
  update audit set seq = number, previous = before, hash = sha256(before
    || sha256(convert_to(number::text, 'UTF8'))
    || sha256(convert_to(to_char(new.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'UTF8'))
    || sha256(convert_to(new.vo, 'UTF8')) || sha256(convert_to(new.actor, 'UTF8'))
    || sha256(convert_to(new.action, 'UTF8')) || sha256(convert_to(new.target, 'UTF8'))
    || sha256(convert_to(new.detail, 'UTF8'))) where id = new.id;
  return null;
end $$;
create constraint trigger audit_linked after insert on audit deferrable initially deferred
  for each row execute function audit_link();

create function audit_refuse() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.hash is null and (new.id, new.at, new.vo, new.actor, new.action, new.target, new.detail)
    is not distinct from (old.id, old.at, old.vo, old.actor, old.action, old.target, old.detail) then
    return new;
  end if;
  raise exception 'The audit log is append-only.';
end $$;
create trigger audit_append_only before update or delete on audit for each row execute function audit_refuse();
create trigger audit_never_emptied before truncate on audit for each statement execute function audit_refuse();

-- What people and the managers of groups may do in VOs that exist already; new ones begin with the same.
insert into authz_rule (vo, subject_kind, action, resource)
select vo.id, 'everyone', rule.action, rule.resource from vo cross join (values
  ('identity.people.read', 'owner'), ('identity.people.read', 'manager'), ('identity.profile.write', 'owner'),
  ('identity.policy.sign', 'owner'), ('identity.group.request', 'owner'), ('identity.group.manage', 'manager')
) as rule(action, resource)
on conflict do nothing;
