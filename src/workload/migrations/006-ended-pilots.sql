-- What ended in a span of time is found at once.
create index pilot_ended on pilot (ended_at) where ended_at is not null;
