-- The scores of all completed trials of search $1 with what synthesis measured, in trial order.
select t.number, s.scores, s.measured as "measured?", s.on_front
from scores s
join trials t on t.id = s.trial_id
where s.search_id = $1
order by t.number
