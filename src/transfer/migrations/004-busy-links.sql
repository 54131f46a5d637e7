-- What a link carried when more was waiting, and when that was: its capacity, as far as anybody knows.
alter table link add column busy_bytes_per_s double precision, add column busy_at timestamptz;
