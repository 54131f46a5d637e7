-- Token issuers of others that a VO trusts. One issuer is trusted by one VO: its tokens name no VO of ours.
create table trusted_issuer (
  id int generated always as identity primary key,
  -- As in the claim iss, character by character.
  issuer text not null unique,
  vo text not null references vo,
  -- What its discovery document calls it, where that differs from what its tokens say.
  calls_itself text not null,
  -- First part of the groups its tokens claim: /name/group. A VO's name holds no dot and never equals one.
  name text not null check (name like '%.%'),
  -- Directory below the VO's area that its storage scopes are relative to.
  path text[] not null check (cardinality(path) > 0),
  audiences text[] not null,
  comment text not null,
  jwks jsonb,
  fetched_at timestamptz,
  tried_at timestamptz not null,
  problem text not null default '',
  created_at timestamptz not null,
  unique (vo, name)
);
create table trusted_subject (
  issuer_id int not null references trusted_issuer on delete cascade,
  subject text not null,
  account_id int not null references account,
  primary key (issuer_id, subject)
);
