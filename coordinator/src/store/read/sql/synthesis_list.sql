-- Synthesis jobs of a search ($1) or of a trial ($2), or one job ($3), oldest first.
select
    j.id,
    j.search_id,
    j.trial_id,
    t.number as trial_number,
    j.requested_by,
    j.tool,
    nullif(j.part, '') as part,
    j.options,
    j.vectors,
    u.state,
    (u.state = 'queued' and not engine_is_here(j.tool)) as "lacks_engine!",
    u.attempt,
    u.error_code,
    u.error_message,
    j.result as "result?",
    j.shared_from as "shared_from?",
    c.scores -> 'costs' as "estimate?",
    c.scores -> 'unseen' as "unseen?",
    s.resolved -> 'device' as "device?",
    w.name as "worker?",
    u.created_at,
    u.started_at,
    u.ended_at
from synthesis_jobs j
join units u on u.id = j.id
join trials t on t.id = j.trial_id
join searches s on s.id = j.search_id
left join scores c on c.trial_id = j.trial_id
left join attempts a on a.unit_id = j.id and a.attempt = u.attempt
left join workers w on w.id = a.worker_id
where ($1::uuid is null or j.search_id = $1)
  and ($2::uuid is null or j.trial_id = $2)
  and ($3::uuid is null or j.id = $3)
  and ($4::uuid is null or j.id > $4)
order by j.id
limit $5
