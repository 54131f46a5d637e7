-- Nothing lists all copies of an RSE: datasets are found through collection_replica, copies that are not right through
-- replica_not_ok, those to delete through replica_tombstone. Every registration paid for this index.
drop index replica_rse;
