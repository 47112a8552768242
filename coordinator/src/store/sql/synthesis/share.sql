-- Completes the waiting synthesis jobs of search $1 whose circuit was synthesised already, with that result.
--
-- Rule: only what is queued is completed so, once; a job that a worker took meanwhile stays that worker's. The
-- search's row is locked.
with source as (
    select s.id, s.source_id, d.result
    from synthesis_sharable s
    join synthesis_jobs d on d.id = s.source_id
    where s.search_id = $1
),
waiting as materialized (
    select u.id
    from units u
    join source on source.id = u.id
    where u.state = 'queued'
    order by u.id
    for update of u
),
ended as (
    update units u
    set state = 'completed', ended_at = now(), error_code = null, error_message = null
    from waiting
    where u.id = waiting.id and u.state = 'queued'
    returning u.id, u.attempt
)
update synthesis_jobs j
set result = source.result, shared_from = source.source_id
from source
join ended on ended.id = source.id
where j.id = source.id
returning j.id, j.trial_id, ended.attempt, source.source_id as "source_id!", source.result as "result!"
