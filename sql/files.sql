-- A file store: spaces, projects and data files, who has access to them, their contents and history, users.
-- Tidings tells what changes here whoever writes it: the Files API, plain SQL, another program. Run it before
-- `tidings sql install`, or after; it may be run again.

create table if not exists files (
    key text primary key,
    kind text not null,
    owner text not null,
    -- From the outermost to the direct one.
    parents jsonb not null default '[]',
    info jsonb not null default '{}',
    -- labels, iconColor, any other member.
    body jsonb not null default '{}',
    last_modified jsonb,
    deleted boolean not null default false,
    deleted_info jsonb,
    change jsonb
);
create index if not exists files_owner on files (owner) where not deleted;
create index if not exists files_parent on files ((parents->>-1)) where not deleted;

create table if not exists file_permissions (
    key text primary key,
    file text not null,
    -- The order in which they were given.
    seq bigint generated always as identity,
    type text not null check (type in ('user', 'group', 'anyone')),
    owner text,
    role text not null check (role in ('reader', 'commenter', 'writer', 'owner')),
    adding_user text not null,
    display_name text,
    -- Milliseconds since 1970, like every time here.
    expiration_time bigint,
    deleted boolean not null default false,
    deleted_time bigint,
    deleting_user text,
    change text,
    check ((type = 'anyone') = (owner is null))
);
create unique index if not exists file_permissions_one
    on file_permissions (file, type, coalesce(owner, '')) where not deleted;
create index if not exists file_permissions_owner on file_permissions (owner) where not deleted;

create table if not exists file_media (
    key text primary key,
    mime text not null,
    value jsonb not null,
    revised bigint not null default 0,
    deleted boolean not null default false,
    change jsonb
);

create table if not exists file_revisions (
    id text primary key,
    key text not null,
    kind text not null,
    created bigint not null,
    deleted boolean not null default false,
    patch jsonb not null,
    modification jsonb not null,
    change text
);
create index if not exists file_revisions_key on file_revisions (key, id collate "C");

create table if not exists users (
    key text primary key,
    name text not null,
    email jsonb,
    picture jsonb,
    tags jsonb,
    locale text
);

-- What a row was before a change is told with it.
alter table files replica identity full;
alter table file_permissions replica identity full;
alter table file_media replica identity full;

-- A file that is deleted takes its rows along. By a trigger and not by foreign keys: those would be captured before
-- the file's own removal. Triggers run in the order of their names, and that of the capture sorts before this one.
create or replace function tidings_zz_children() returns trigger language plpgsql as $$
begin
    delete from file_permissions where file = old.key;
    delete from file_media where key = old.key;
    delete from file_revisions where key = old.key;
    return null;
end
$$;
create or replace trigger tidings_zz_children
    after delete on files for each row execute function tidings_zz_children();
