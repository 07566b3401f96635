-- Pushes from inside the database: whoever calls `tidings.notify_users`, `notify_channels` or `notify_clients` in a
-- transaction pushes a JSON object when it commits, and nothing when it rolls back. Operations that Tidings runs, any
-- other SQL code (triggers, jobs) and the relay between its nodes use the same table.
-- Running this file again is safe. A role that pushes needs
--   grant usage on schema tidings to ROLE; grant insert on tidings.push to ROLE;
-- and the role of Tidings itself select and delete as well.

create schema if not exists tidings;

-- `origin` is the node that has delivered it to its own sockets already; `data` is the object as it is sent.
create table if not exists tidings.push (
    id bigint generated always as identity primary key,
    xid xid8 not null default pg_current_xact_id(),
    origin text,
    kind text not null check (kind in ('user', 'channel', 'client')),
    ids text[] not null,
    data text not null,
    at timestamptz not null default clock_timestamp()
);
create index if not exists push_xid_idx on tidings.push (xid);

create or replace function tidings.push_bell() returns trigger language plpgsql as $$
begin
    notify tidings_push;
    return null;
end
$$;
drop trigger if exists push_bell on tidings.push;
create trigger push_bell after insert on tidings.push for each statement execute function tidings.push_bell();

create or replace function tidings.queue_push(kind text, ids text[], data jsonb) returns void language plpgsql as $$
declare
    bad text;
begin
    if jsonb_typeof(data) is distinct from 'object' then
        raise exception 'data must be a JSON object';
    end if;
    select r into bad from unnest(ids) r where kind = 'user' and r !~* '^n:[^:]*:[a-f0-9]{24}$' limit 1;
    if found then
        raise exception '[%] is not a valid reference!', bad;
    end if;
    if cardinality(ids) > 0 then
        insert into tidings.push (origin, kind, ids, data)
            values (nullif(current_setting('tidings.node', true), ''), kind, ids, data::text);
    end if;
end
$$;

create or replace function tidings.notify_users(root_ids text[], data jsonb) returns void language sql as $$
    select tidings.queue_push('user', root_ids, data)
$$;

create or replace function tidings.notify_channels(channel_ids text[], data jsonb) returns void language sql as $$
    select tidings.queue_push('channel', channel_ids, data)
$$;

create or replace function tidings.notify_clients(client_ids text[], data jsonb) returns void language sql as $$
    select tidings.queue_push('client', client_ids, data)
$$;

-- To the socket that called the operation; anywhere else it does nothing.
create or replace function tidings.notify_self(data jsonb) returns void language sql as $$
    select tidings.queue_push(
        'client', array_remove(array[nullif(current_setting('tidings.client_id', true), '')], null), data)
$$;
