-- The attempts of a unit of work, first to last.
select
    a.attempt,
    a.worker_id,
    w.name as worker,
    a.started_at,
    a.ended_at,
    a.end_reason,
    a.error_code,
    a.error_message,
    a.log_tail <> '' as "has_log!"
from attempts a
join workers w on w.id = a.worker_id
where a.unit_id = $1
order by a.attempt
