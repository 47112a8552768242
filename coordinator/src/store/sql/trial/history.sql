-- Proposed trials of search $1 from number $2 on, with their outcomes, in trial order (promise P2: never in order of
-- arrival). What runs leave behind was not proposed and is not asked about.
select t.number, t.point, u.state, s.scores as "scores?"
from trials t
join units u on u.id = t.id
left join scores s on s.trial_id = t.id
where t.search_id = $1 and t.number >= $2 and t.parent_id is null
order by t.number
