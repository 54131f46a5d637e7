-- Two looks at other tables for every object cost more than writing it. An object comes with its pack, or moves into one that
-- comes with it, and a pack goes only when no object is in it: whoever deletes packs looks at that.
alter table software_object drop constraint software_object_repository_id_fkey,
  drop constraint software_object_pack_id_fkey;
