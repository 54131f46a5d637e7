-- Repositories of others have objects over 2 GiB.
alter table software_object alter column length type bigint;
