-- Workers by what they did last; keyset on (last_seen_at, id). A worker that was silent for longer than $3 seconds
-- counts as lost.
select
    w.id,
    w.name,
    w.host,
    w.version,
    w.slots,
    w.kinds,
    w.tools as "tools!",
    w.cpu_level,
    w.engines,
    w.engine_version,
    w.draining,
    w.registered_at,
    w.last_seen_at,
    (w.last_seen_at < now() - make_interval(secs => $3::float8)) as "lost!",
    (select count(*) from units u where u.lease_owner = w.id and u.state = 'leased') as "leased!",
    (select count(*) from attempts a where a.worker_id = w.id and a.end_reason = 'completed') as "completed!",
    (select count(*) from attempts a where a.worker_id = w.id and a.end_reason = 'failed') as "failed!"
from workers w
where $1::uuid is null or w.id < $1
order by w.id desc
limit $2
