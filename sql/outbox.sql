-- The outbox: every change of an attached table, written by a trigger in the writer's own transaction.
-- Everything lives in the schema `tidings`; `sql/remove.sql` takes all of it away again.
-- Running this file again is safe: it keeps what has been recorded and brings the functions up to date.

do $$
begin
    if pg_catalog.to_regclass('tidings.meta') is null
        -- Pushes (sql/push.sql) may be there without it.
        and exists (select from pg_catalog.pg_class
            where relnamespace = pg_catalog.to_regnamespace('tidings') and relname !~ '^push(_|$)')
    then
        raise exception 'the schema "tidings" exists and holds something else';
    end if;
end
$$;

create schema if not exists tidings;
comment on schema tidings is 'changes of attached tables, for Tidings; remove with: tidings sql remove';

-- One row: what is installed, which installation it is, and up to which transaction changes were deleted.
create table if not exists tidings.meta (
    only_row boolean primary key default true check (only_row),
    version integer not null,
    install uuid not null default gen_random_uuid(),
    purged xid8 not null default '0'
);
insert into tidings.meta (version) values (1) on conflict (only_row) do update set version = excluded.version;

-- `resource` is the table as attached, quoted; `before` and `after` are whole rows.
-- `operation` is created, updated, removed, or reset (truncated, or attached just now).
-- The id is drawn while the row is locked, so the ids of one row's changes ascend in the order of its changes;
-- between rows of different transactions they say nothing, and never are they in the order of commits.
create table if not exists tidings.change (
    id bigint generated always as identity primary key,
    xid xid8 not null default pg_catalog.pg_current_xact_id(),
    resource text not null,
    operation text not null,
    before json,
    after json,
    at timestamptz not null default pg_catalog.clock_timestamp()
);
create index if not exists change_xid on tidings.change (xid);

-- Who reads, and what each has read for good; nothing that one of them may still need is deleted.
create table if not exists tidings.reader (
    id uuid primary key,
    place pg_snapshot not null,
    seen timestamptz not null default pg_catalog.now()
);

-- Wakes the reader, if it sleeps: then it holds this lock. A notification makes commits wait for each other, all
-- over the server, so a reader that is busy anyway is not rung.
create or replace function tidings.ring() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if pg_try_advisory_lock(1953064041, 1) then
        perform pg_advisory_unlock(1953064041, 1);
    else
        perform pg_notify('tidings', '');
    end if;
end
$$;

-- Writes one change. Runs with the rights of whoever installed it, so writers need none on this schema, and
-- with its own settings, so the writer's time zone and formats don't reach the documents.
-- The bell carries no data: it only wakes the reader.
create or replace function tidings.capture() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'iso_8601' set bytea_output = 'hex'
set extra_float_digits = 1 set lc_monetary = 'C'
as $$
declare
    was json;
    is_now json;
    what text := 'created';
begin
    if tg_op <> 'INSERT' then
        was := row_to_json(old);
        what := 'removed';
    end if;
    if tg_op <> 'DELETE' then
        is_now := row_to_json(new);
    end if;
    if tg_op = 'UPDATE' then
        if was::text = is_now::text then
            return null;
        end if;
        what := 'updated';
    end if;
    insert into tidings.change (resource, operation, before, after) values (tg_argv[0], what, was, is_now);
    perform tidings.ring();
    return null;
end
$$;

-- Writes that a table was emptied as a whole.
create or replace function tidings.truncated() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into tidings.change (resource, operation) values (tg_argv[0], 'reset');
    perform tidings.ring();
    return null;
end
$$;

-- Creates one trigger unless an equal one is there and enabled; tells whether it had to.
create or replace function tidings.ensure_trigger(
    target regclass, trigger_name text, timing text, level text, call text, argument text
) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    existing record;
begin
    select tgenabled, tgargs, tgfoid into existing from pg_trigger where tgrelid = target and tgname = trigger_name;
    if found then
        if existing.tgenabled = 'O' and existing.tgfoid = to_regproc('tidings.' || call)
            and existing.tgargs = convert_to(argument, getdatabaseencoding()) || '\x00'::bytea
        then
            return false;
        end if;
        execute format('drop trigger %I on %s', trigger_name, target);
    end if;
    execute format('create trigger %I %s on %s for each %s execute function tidings.%I(%L)',
        trigger_name, timing, target, level, call, argument);
    return true;
end
$$;

-- Captures a table's changes from now on. Whoever read it before is told to start over, as changes may have
-- been missed. The row trigger's name sorts first: a row must be recorded before another trigger changes it again.
create or replace function tidings.attach(target regclass) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    kind "char";
    child boolean;
    full_name text;
    part regclass;
    fresh boolean;
begin
    select c.relkind, c.relispartition, format('%I.%I', n.nspname, c.relname) into kind, child, full_name
        from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = target;
    if kind not in ('r', 'p') then
        raise exception '% is not a table', full_name;
    end if;
    if child then
        raise exception '% is a partition; attach the partitioned table itself', full_name;
    end if;
    fresh := tidings.ensure_trigger(target, '!tidings_capture',
        'after insert or update or delete', 'row', 'capture', full_name);
    for part in select target union select relid from pg_partition_tree(target) loop
        perform tidings.ensure_trigger(part, '!tidings_truncated', 'after truncate', 'statement', 'truncated', full_name);
    end loop;
    if fresh then
        insert into tidings.change (resource, operation) values (full_name, 'reset');
        perform tidings.ring();
    end if;
end
$$;

-- Captures a table no longer.
create or replace function tidings.detach(target regclass) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    part regclass;
begin
    execute format('drop trigger if exists %I on %s', '!tidings_capture', target);
    for part in select target union select relid from pg_partition_tree(target) loop
        execute format('drop trigger if exists %I on %s', '!tidings_truncated', part);
    end loop;
end
$$;

-- Notes that a reader has read everything in `place`, and deletes at most `at_most` changes that are older than
-- `age` and that every reader seen within that time has read. Tells how many were deleted.
create or replace function tidings.purge(reader uuid, place pg_snapshot, age interval, at_most integer) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    horizon xid8;
    newest xid8;
    deleted bigint;
begin
    insert into tidings.reader (id, place) values (purge.reader, purge.place)
        on conflict (id) do update set place = excluded.place, seen = now();
    delete from tidings.reader r where r.seen < now() - greatest(age, interval '10 minutes');
    select pg_snapshot_xmin(r.place) into horizon from tidings.reader r order by 1 limit 1;
    with oldest as (
        select c.id, c.at, c.xid from tidings.change c order by c.id limit at_most for update skip locked
    ), gone as (
        delete from tidings.change c using oldest
            where c.id = oldest.id and oldest.at < now() - age and oldest.xid < horizon
            returning c.xid
    ), counted as (
        select xid, count(*) over () as rows from gone order by xid desc limit 1
    )
    select xid, rows into newest, deleted from counted;
    if newest is not null then
        update tidings.meta set purged = newest where purged < newest;
    end if;
    return coalesce(deleted, 0);
end
$$;

-- Lets a role read the outbox and purge it.
create or replace function tidings.allow(reader regrole) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('grant usage on schema tidings to %s', reader);
    execute format('grant select on tidings.change, tidings.meta to %s', reader);
    execute format('grant execute on function tidings.purge(uuid, pg_snapshot, interval, integer) to %s', reader);
end
$$;

-- Not of all in the schema: what pushes is for everybody.
revoke all on function tidings.capture(), tidings.truncated(), tidings.ring(), tidings.attach(regclass),
    tidings.detach(regclass), tidings.ensure_trigger(regclass, text, text, text, text, text),
    tidings.purge(uuid, pg_snapshot, interval, integer), tidings.allow(regrole) from public;
