-- Links with which people set a new password: each is good once, for a while, and only for its account.
create table password_reset (
  -- SHA-256 of what the link carries.
  digest bytea primary key,
  account_id int not null references account on delete cascade,
  made_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index on password_reset (account_id);
create index on password_reset (expires_at);
