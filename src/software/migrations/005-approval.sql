-- Below these paths nothing is published unless somebody else approves it.
create table software_approval (
  repository_id int not null references software_repository,
  path text not null check (path = '' or path ~ '^/.*[^/]$'),
  account text not null,
  at timestamptz not null,
  primary key (repository_id, path)
);

-- What waits for that is a publication, too: one whose objects, catalogues and changes are there, and whose revision is not.
alter table software_publication
  add column kind text not null default 'publish' check (kind in ('publish', 'rollback', 'tag', 'untag')),
  add column proposed_at timestamptz,
  add column tag text,
  add column description text not null default '',
  -- The revision that is put back, gets the tag or loses it, or that the changes were made to: its tree stays.
  add column of_revision bigint,
  -- The tree as it would have been when it was proposed: what it holds stays, too.
  add column root_hash text,
  add column put bigint not null default 0,
  add column removed bigint not null default 0,
  add column files bigint,
  add column bytes bigint,
  -- Somebody is approving it since then: what is written meanwhile is not unused.
  add column deciding_since timestamptz,
  add column decided_at timestamptz,
  add column decided_by text,
  add column reason text not null default '',
  drop constraint software_publication_state_check,
  add constraint software_publication_state_check
    check (state in ('open', 'proposed', 'committed', 'rejected', 'cancelled', 'expired')),
  add constraint software_publication_proposed check (state <> 'proposed' or proposed_at is not null),
  -- Four eyes.
  add constraint software_publication_decided_by_another check (proposed_at is null or state not in ('committed', 'rejected')
    or (decided_by is not null and decided_by <> account));
create index software_publication_proposed on software_publication (repository_id) where state = 'proposed';

-- Who approved it; null: nobody had to.
alter table software_revision
  add column approved_by text,
  add constraint software_revision_approved_by_another check (approved_by <> account);
