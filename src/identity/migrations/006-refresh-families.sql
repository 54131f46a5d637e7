-- One row for each family of refresh tokens: the digest of the present token and of those it replaced, newest first.
-- A refresh is then one update in place. Families of the table before are over: their people log in again.
delete from token_grant;
drop table refresh_token;
alter table token_grant
  add column token_hash bytea not null,
  add column replaced bytea[] not null default '{}',
  add column replaced_at timestamptz[] not null default '{}';
-- Room for the next version of a row beside it, so that a refresh touches no index.
alter table token_grant set (fillfactor = 70);
