-- Puts what synthesis job $1 measured ($3) beside the scores of its trial, if the job's engine and part
-- are the search's own ($2, $4).
--
-- Rule: counts of different engines never stand in one ranking.
update scores s
set measured = $3
from synthesis_jobs j
where j.id = $1 and j.tool = $2 and j.part = $4 and s.trial_id = j.trial_id
