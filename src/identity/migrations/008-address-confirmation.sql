-- An address that somebody added to their profile is confirmed by the link in a mail, as at the registration.
alter table email
  -- SHA-256 of what the link carries.
  add confirmation bytea unique,
  add asked_at timestamptz;
