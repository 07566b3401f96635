-- The reference schema of the monorail protocol: what RackHD's channels show, as Postgres tables.
-- Column names are names on the wire, hence the quotes; `workflows` is the channel `graphObjs`.
-- Running this file again is safe: what is there stays, with its rows.

begin;
-- "already exists, skipping" is nothing that a reader must know.
set local client_min_messages = warning;

-- Kinds of machines, and the rules by which one is recognised.
create table if not exists skus (
    id text primary key default gen_random_uuid()::text,
    name text not null,
    rules jsonb not null default '[]',
    version text,
    description text,
    "discoveryGraphName" text,
    "discoveryGraphOptions" jsonb,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now()
);

-- Machines and what else stands in a data centre; ids are 24 hexadecimal digits.
create table if not exists nodes (
    id text primary key default left(replace(gen_random_uuid()::text, '-', ''), 24),
    name text not null,
    type text not null default 'compute' check (type in (
        'compute-container', 'compute', 'switch', 'dae', 'pdu', 'mgmt', 'enclosure', 'rack', 'storage', 'iom',
        'cooling', 'power', 'redfish', 'redfishManager')),
    identifiers jsonb not null default '[]',
    sku text references skus on delete set null,
    "bootSettings" jsonb,
    "autoDiscover" boolean not null default false,
    relations jsonb not null default '[]',
    tags jsonb not null default '[]',
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now()
);

-- What was read out of a machine, by source; older ones stay.
create table if not exists catalogs (
    id text primary key default gen_random_uuid()::text,
    node text not null references nodes on delete cascade,
    source text not null,
    data jsonb not null,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now()
);

-- What is being done to a machine; the key is "instanceId".
create table if not exists workflows (
    "instanceId" text primary key default gen_random_uuid()::text,
    id text not null default left(replace(gen_random_uuid()::text, '-', ''), 24),
    name text,
    "injectableName" text,
    domain text not null default 'default',
    node text references nodes on delete set null,
    context jsonb not null default '{}',
    definition jsonb not null default '{}',
    tasks jsonb not null default '{}',
    _status text not null default 'pending' check (_status in (
        'pending', 'running', 'succeeded', 'failed', 'cancelled', 'timeout')),
    "parentGraphId" text,
    "createdAt" timestamptz not null default now(),
    "updatedAt" timestamptz not null default now()
);

create index if not exists nodes_type_idx on nodes (type);
create index if not exists nodes_sku_idx on nodes (sku);
create index if not exists catalogs_node_source_idx on catalogs (node, source);
create index if not exists workflows_node_idx on workflows (node);
create index if not exists workflows_status_idx on workflows (_status);

create or replace function touch() returns trigger language plpgsql as $$
begin
    new."updatedAt" := now();
    return new;
end
$$;

-- Full identity gives replication the row as it was before a change.
do $$
declare
    name text;
begin
    foreach name in array array['skus', 'nodes', 'catalogs', 'workflows'] loop
        execute format('alter table %I replica identity full', name);
        execute format('create or replace trigger touch before update on %I for each row execute function touch()', name);
    end loop;
end
$$;

commit;
