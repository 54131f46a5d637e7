-- What a stuck rule is asked for again and again: how many of its copies failed, and the last of them.
create index placement_gap_failed on placement_gap (rule_id, next_try) where state = 'failed';
