-- Takes away everything that `sql/push.sql` made, but for the schema, which others may use.
drop function if exists tidings.notify_self(jsonb), tidings.notify_clients(text[], jsonb);
drop function if exists tidings.notify_channels(text[], jsonb), tidings.notify_users(text[], jsonb);
drop function if exists tidings.queue_push(text, text[], jsonb);
drop table if exists tidings.push;
drop function if exists tidings.push_bell();
