-- Where unit $1 stands, and how attempt $2 of it ended: tells a report that was doubled from one that came too late.
select u.search_id,
       u.kind,
       u.state,
       u.attempt,
       u.result_digest,
       a.worker_id as "worker_id?",
       a.end_reason as "end_reason?",
       a.error_code as "error_code?"
from units u
left join attempts a on a.unit_id = u.id and a.attempt = $2
where u.id = $1
