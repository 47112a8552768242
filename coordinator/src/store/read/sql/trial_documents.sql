-- What a trial's own page shows beside its row: the candidate, where it came from, and its search.
select
    t.candidate as "candidate!",
    t.candidate_digest,
    t.origin,
    t.repeat,
    t.seed,
    t.tier0 as "tier0?",
    s.name as search_name,
    s.state as search_state,
    s.resolved -> 'objectives' as "objectives?",
    s.resolved -> 'training' as "training?",
    s.resolved -> 'device' as "device?",
    case
        when s.resolved -> 'dataset' ? 'targets' then s.resolved -> 'dataset' -> 'targets'
        when d.info ? 'targets' then d.info -> 'targets'
        else d.info -> 'classes'
    end as "classes?"
from trials t
join searches s on s.id = t.search_id
join datasets d on d.id = s.dataset_id
where t.id = $1
