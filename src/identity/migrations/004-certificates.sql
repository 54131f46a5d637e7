-- Certificates by which people, robots and hosts are known, those issued here, and credentials left with the grid.

create table certificate (
  id uuid primary key,
  vo text not null references vo,
  account_id int not null references account,
  -- Names in canonical form: these are compared. The issuer is null for a name from an old list (a grid-mapfile says
  -- no issuer) until a certificate with that name is seen.
  subject_key text not null,
  issuer_key text,
  subject_slash text not null,
  subject_rfc text not null,
  issuer_slash text,
  issuer_rfc text,
  -- Null while the record comes from names alone and the certificate was never seen.
  pem text,
  not_after timestamptz,
  label text not null default '',
  -- presented, administrator, issued, gridmap, rucio, or the name of another source
  origin text not null,
  state text not null default 'LINKED' check (state in ('LINKED', 'SUSPENDED', 'UNLINKED')),
  reason text not null default '',
  created_at timestamptz not null,
  updated_at timestamptz not null,
  seen_at timestamptz,
  -- Also for certificates that were unlinked, so that those of removed people are never given to somebody else.
  constraint certificate_once unique nulls not distinct (vo, subject_key, issuer_key)
);
create index on certificate (subject_key);
create index on certificate (account_id);

-- Holders of a certificate of another authority with a name that is known here: managers decide whether it is them.
create table certificate_request (
  id uuid primary key,
  vo text not null references vo,
  account_id int not null references account,
  subject_key text not null,
  issuer_key text not null,
  pem text not null,
  state text not null default 'PENDING' check (state in ('PENDING', 'APPROVED', 'REJECTED')),
  created_at timestamptz not null,
  decided_at timestamptz,
  decided_by text,
  motivation text not null default ''
);
create unique index on certificate_request (vo, subject_key, issuer_key) where state = 'PENDING';
create index on certificate_request (vo, created_at);

-- What the issuing authority of this grid has signed.
create table issued_certificate (
  serial text primary key,
  vo text not null references vo,
  account_id int not null references account,
  subject text not null,
  -- SHA-256 of the SubjectPublicKeyInfo: a key belongs to one account.
  public_key bytea not null,
  not_before timestamptz not null,
  not_after timestamptz not null,
  issued_at timestamptz not null,
  issued_by text not null,
  revoked_at timestamptz,
  reason text not null default ''
);
create index on issued_certificate (account_id, issued_at);
create index on issued_certificate (public_key);
create index on issued_certificate (not_after);
create index on issued_certificate (serial) where revoked_at is not null;

-- Credentials that people left with the grid for a purpose: a proxy, sealed under the key kept outside the database.
create table delegation (
  id text not null,
  vo text not null references vo,
  account_id int not null references account,
  purpose text not null,
  -- Of the person whose proxy it is.
  subject text not null,
  issuer text not null,
  -- A key pair waits for its proxy until then.
  requested_key bytea,
  requested_until timestamptz,
  -- Chain and key, sealed; null while the first proxy has not come.
  credential bytea,
  not_after timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  used_at timestamptz,
  primary key (vo, id, purpose)
);
create index on delegation (account_id);
create index on delegation (not_after);

insert into authz_rule (vo, subject_kind, action, resource)
select vo.id, 'everyone', rule.action, rule.resource from vo cross join (values
  ('identity.certificate.read', 'owner'), ('identity.certificate.write', 'owner'), ('identity.delegate', 'owner')
) as rule(action, resource)
on conflict do nothing;
