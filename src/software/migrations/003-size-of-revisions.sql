-- What the tree of a revision holds, for people who look at a list of them; null: not counted.
alter table software_revision add column files bigint, add column bytes bigint;
