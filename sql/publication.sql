-- Makes the publication that a replication slot streams, or makes it publish everything that happens.
set lock_timeout = '10s';
do $$
declare
    wanted constant text := {publication};
    existing record;
begin
    select * into existing from pg_catalog.pg_publication where pubname = wanted;
    if not found then
        execute pg_catalog.format('create publication %I', wanted);
    elsif not (existing.pubinsert and existing.pubupdate and existing.pubdelete and existing.pubtruncate)
        or existing.pubviaroot
    then
        execute pg_catalog.format('alter publication %I set '
            '(publish = ''insert, update, delete, truncate'', publish_via_partition_root = false)', wanted);
    end if;
end
$$;
