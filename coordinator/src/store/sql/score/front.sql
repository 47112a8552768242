-- The present front of search $1, with what synthesis measured.
select t.number, s.scores, s.measured as "measured?"
from scores s
join trials t on t.id = s.trial_id
where s.search_id = $1 and s.on_front
order by t.number
