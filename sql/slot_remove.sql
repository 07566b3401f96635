-- Takes a replication slot away, so that no WAL is kept for it; whoever streams it is cut off.
do $$
declare
    target constant text := {slot};
    streaming integer;
begin
    for attempt in 1..200 loop
        select active_pid into streaming from pg_catalog.pg_replication_slots where slot_name = target;
        if not found then
            return;
        end if;
        begin
            if streaming is not null then
                perform pg_catalog.pg_terminate_backend(streaming);
                perform pg_catalog.pg_sleep(0.05);
            else
                perform pg_catalog.pg_drop_replication_slot(target);
            end if;
        exception when object_in_use or undefined_object then
            perform pg_catalog.pg_sleep(0.05);
        end;
    end loop;
    raise exception 'the replication slot "%" stays in use', target;
end
$$;
