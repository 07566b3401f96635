-- Publishes one table. With full identity, which comes first, its changes tell the row as it was before.
do $$
declare
    target constant regclass := {table};
    wanted constant text := {publication};
    holder regclass;
    published record;
begin
    for holder in
        select c.oid from pg_catalog.pg_class c
            where c.oid in (select target union select relid from pg_catalog.pg_partition_tree(target))
                and c.relkind = 'r' and c.relreplident <> 'f'
    loop
        execute pg_catalog.format('alter table %s replica identity full', holder);
    end loop;
    select p.puballtables, r.oid as entry, pg_catalog.to_jsonb(r) as details into published
        from pg_catalog.pg_publication p
        left join pg_catalog.pg_publication_rel r on r.prpubid = p.oid and r.prrelid = target
        where p.pubname = wanted;
    if published.puballtables then
        return;
    end if;
    if published.entry is not null and (published.details ->> 'prqual' is not null or published.details ->> 'prattrs' is not null) then
        execute pg_catalog.format('alter publication %I drop table %s', wanted, target);
        published.entry := null;
    end if;
    if published.entry is null then
        execute pg_catalog.format('alter publication %I add table %s', wanted, target);
    end if;
end
$$;
