-- The synthesis job of trial number $2 in search $1 with tool $3.
select j.id
from synthesis_jobs j
join trials t on t.id = j.trial_id
where t.search_id = $1 and t.number = $2 and j.tool = $3
