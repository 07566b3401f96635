-- Takes away everything that `sql/outbox.sql` made, the triggers on the tables with it.
drop function if exists tidings.capture(), tidings.truncated() cascade;
drop function if exists tidings.ring(), tidings.attach(regclass), tidings.detach(regclass);
drop function if exists tidings.ensure_trigger(regclass, text, text, text, text, text);
drop function if exists tidings.purge(uuid, pg_snapshot, interval, integer), tidings.allow(regrole);
drop table if exists tidings.change, tidings.meta, tidings.reader;
drop schema if exists tidings;
