-- How the last pilots of a place ended, of millions that ended anywhere.
create index pilot_over on pilot (resource_id, id) where deadline is null;
