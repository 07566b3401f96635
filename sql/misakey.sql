-- Encrypted boxes: their events, who people are, and what each has not seen yet. Tidings tells members what changes
-- here, whoever writes it. The names are those of a database in use, whose tables can be served as they are; only
-- event_count is new there. Run it before `tidings sql install`.

create schema misakey;

create table misakey.identity (
    id uuid primary key,
    account_id uuid,
    display_name text not null,
    avatar_url text,
    identifier_kind text not null default '',
    identifier_value text not null default ''
);

-- A box has no row of its own: it is its events.
create table misakey.event (
    id uuid primary key default gen_random_uuid(),
    box_id uuid not null,
    created_at timestamptz not null default clock_timestamp(),
    sender_id uuid not null,
    type varchar(127) not null,
    content jsonb,
    referrer_id uuid references misakey.event (id),
    -- On the row of type create, before it is deleted: who deletes the box.
    deleted_by uuid
);
create index on misakey.event (box_id, created_at desc);
create index on misakey.event (referrer_id);

create table misakey.saved_file (
    id uuid primary key default gen_random_uuid(),
    identity_id uuid not null,
    encrypted_file_id uuid not null,
    encrypted_metadata text,
    key_fingerprint text,
    created_at timestamptz not null default now(),
    unique (encrypted_file_id, identity_id)
);

create table misakey.box_setting (
    id uuid primary key default gen_random_uuid(),
    identity_id uuid not null,
    box_id uuid not null,
    muted boolean not null default false,
    updated_at timestamptz not null default now(),
    unique (identity_id, box_id)
);

create table misakey.identity_notification (
    id serial primary key,
    identity_id uuid not null,
    type varchar(32) not null,
    details jsonb,
    created_at timestamptz not null default now(),
    acknowledged_at timestamptz
);

-- How many events of a box somebody has not seen. A new ack_id says that they were acknowledged.
create table misakey.event_count (
    id text primary key,
    identity_id uuid not null,
    box_id uuid not null,
    count bigint not null default 0,
    acked_at timestamptz,
    ack_id uuid,
    ack_text text,
    acked_upto text,
    check (id = identity_id::text || ':' || box_id::text)
);

-- A replication slot then tells a row as it was before a change.
alter table misakey.saved_file replica identity full;
alter table misakey.event_count replica identity full;

create view misakey.member as
    select box_id, sender_id as identity_id from misakey.event where type = 'create'
    union
    select j.box_id, j.sender_id from misakey.event j where j.type = 'member.join' and not exists
        (select from misakey.event x where x.referrer_id = j.id and x.type in ('member.leave', 'member.kick'));

-- Counts an event for every member but its sender and who has muted the box, in the writer's own transaction.
create function misakey.count_event() returns trigger language plpgsql as $$
begin
    insert into misakey.event_count as c (id, identity_id, box_id, count)
    select m.identity_id::text || ':' || m.box_id::text, m.identity_id, m.box_id, 1 from misakey.member m
     where m.box_id = new.box_id and m.identity_id <> new.sender_id and not exists
         (select from misakey.box_setting s where s.box_id = m.box_id and s.identity_id = m.identity_id and s.muted)
     order by 1   -- one lock order for all writers of a box
    on conflict (id) do update set count = c.count + 1;
    return null;
end
$$;
create trigger count_event after insert on misakey.event for each row
    when (new.type in ('member.join', 'member.leave', 'member.kick', 'msg.text', 'msg.file', 'state.access_mode'))
    execute function misakey.count_event();

-- Acknowledges a box, for other writers than sockets.
create function misakey.ack(identity uuid, box uuid) returns void language sql as $$
    insert into misakey.event_count as c (id, identity_id, box_id, acked_at, ack_id)
    values (identity::text || ':' || box::text, identity, box, now(), gen_random_uuid())
    on conflict (id) do update
        set count = 0, acked_at = excluded.acked_at, ack_id = excluded.ack_id, ack_text = null
$$;

-- To be called after `tidings sql install`, where changes are captured by an outbox: of event_count only
-- acknowledgements are captured then, and counting writes nothing into the outbox.
create function misakey.capture_acks_only() returns void language plpgsql as $$
begin
    drop trigger "!tidings_capture" on misakey.event_count;
    create trigger "!tidings_capture" after insert or update of ack_id on misakey.event_count for each row
        when (new.ack_id is not null) execute function tidings.capture('misakey.event_count');
end
$$;
