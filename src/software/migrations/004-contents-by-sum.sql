-- By the sum first: what a repository has is thought to be nothing while it grows.
drop index software_object_plain;
create index software_object_plain on software_object (plain) where plain is not null;
