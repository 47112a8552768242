-- Puts what synthesis job $1 measured ($3) beside the scores of its trial, if the job's tool is the one whose counts
-- are compared ($2).
--
-- Rule: counts of different tools never stand in one ranking.
update scores s
set measured = $3
from synthesis_jobs j
where j.id = $1 and j.tool = $2 and s.trial_id = j.trial_id
