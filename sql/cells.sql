-- What a Pydio Cells server keeps that its browser interface is told of: identities and rights, the tree, tasks,
-- activities, and the chat. Tidings tells what changes here whoever writes it. Run it before `tidings sql install`, or
-- after; it may be run again.

create table if not exists cells_users (
    uuid text primary key,
    login text not null unique,
    group_path text not null default '/',
    group_label text,
    is_group boolean not null default false,
    -- anon, shared, standard, admin.
    profile text not null default 'standard',
    -- In the order in which they count.
    roles text[] not null default '{}',
    -- With 'logout' the user may not come in.
    locks text[] not null default '{}'
);

create table if not exists cells_roles (
    uuid text primary key,
    label text,
    is_team boolean not null default false,
    group_role boolean not null default false,
    user_role boolean not null default false,
    last_updated int not null default 0
);

create table if not exists cells_workspaces (
    uuid text primary key,
    slug text not null unique,
    label text,
    description text,
    -- ANY, ADMIN, ROOM, LINK.
    scope text not null default 'ANY',
    last_updated int not null default 0
);

create table if not exists cells_acls (
    id text primary key,
    -- read, write, deny, lock, policy, or something that has nothing to do with the tree.
    action_name text not null,
    action_value text not null default '',
    role_id text,
    workspace_id text,
    node_id text
);

create table if not exists cells_tree_nodes (
    uuid text primary key,
    parent_uuid text,
    -- From the data source down, without a slash at either end.
    path text not null,
    type text not null check (type in ('LEAF', 'COLLECTION')),
    size bigint not null default 0,
    mtime bigint not null default 0,
    mode int not null default 0,
    etag text not null default '',
    meta jsonb not null default '{}',
    -- {"usermeta-tags": {"value": "x", "policies": [{"Action": "READ", "Subject": "*", "Effect": "allow"}]}}
    user_meta jsonb not null default '{}',
    -- Of many that are written at once not every one need be told.
    silent boolean not null default false
);

create table if not exists cells_tasks (
    id text primary key,
    job_id text not null,
    -- Unknown, Idle, Running, Finished, Interrupted, Paused, Any, Error, Queued.
    status text not null,
    status_message text,
    -- A login.
    trigger_owner text not null,
    start_time int,
    end_time int,
    can_stop boolean,
    can_pause boolean,
    has_progress boolean,
    progress real,
    job jsonb not null default '{}'
);

-- Changes of identities that somebody else publishes, in place of those that follow from the rows above.
create table if not exists cells_idm_changes (
    id bigint generated always as identity primary key,
    event jsonb not null
);

create table if not exists cells_activities (
    id text primary key,
    -- NODE, USER.
    owner_type text not null,
    owner_id text not null,
    box_name text not null,
    activity jsonb not null
);

create table if not exists cells_chat_rooms (
    uuid text primary key,
    -- GLOBAL, WORKSPACE, USER, NODE.
    type text not null,
    object text not null,
    label text,
    users text[] not null default '{}',
    -- {"<login>": {"<node of Tidings>": <seconds since 1970>}}
    presence jsonb not null default '{}',
    last_updated int not null default 0,
    unique (type, object)
);

create table if not exists cells_chat_messages (
    uuid text primary key,
    room_uuid text not null,
    -- The order within a room: microseconds since 1970, raised by the writer where that would not grow.
    seq bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint,
    author text not null,
    timestamp bigint not null,
    message text not null,
    activity jsonb,
    info jsonb
);
create index if not exists cells_chat_messages_room on cells_chat_messages (room_uuid, seq, uuid);

-- What a row was before a change is told with it.
alter table cells_tree_nodes replica identity full;
alter table cells_acls replica identity full;
alter table cells_chat_rooms replica identity full;
alter table cells_chat_messages replica identity full;
