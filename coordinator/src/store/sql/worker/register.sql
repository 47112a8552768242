-- Announces worker $1, or announces it again.
insert into workers (id, name, host, version, slots, kinds, tools, cpu_level, engines, engine_version)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (id) do update
set name = excluded.name,
    host = excluded.host,
    version = excluded.version,
    slots = excluded.slots,
    kinds = excluded.kinds,
    tools = excluded.tools,
    cpu_level = excluded.cpu_level,
    engines = excluded.engines,
    engine_version = excluded.engine_version,
    draining = false,
    last_seen_at = now()
