-- Whether a destination has something to do now, and when the next of its transfers is due.
create index transfer_due on transfer (dst_rse_id, not_before) where state = 'queued';
