-- An attempt's live log tail, and the whole log's artifact once it is uploaded.
select
    a.log_tail,
    a.ended_at,
    (
        select f.digest
        from unit_artifacts f
        where f.unit_id = a.unit_id and f.attempt = a.attempt and f.kind = 'log'
        limit 1
    ) as digest
from attempts a
where a.unit_id = $1 and a.attempt = $2
