-- Sending what people should be told. A claim moves `next_at`; whoever claimed it and died has it tried again then.
alter table mail
  add attempts int not null default 0,
  add next_at timestamptz,
  -- What the mail server said last; empty when nothing went wrong.
  add problem text not null default '',
  -- From then on it is not tried any more.
  add given_up_at timestamptz;
update mail set next_at = created_at;
alter table mail alter next_at set not null;
create index mail_due on mail (next_at) where sent_at is null and given_up_at is null;
-- The language somebody registered in; both are written to those of whom it is not known.
alter table account add language text check (language in ('en', 'ja'));
