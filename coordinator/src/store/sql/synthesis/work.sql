-- What a worker needs to run the synthesis jobs $1.
select j.id,
       j.trial_id,
       j.tool,
       j.part,
       j.vectors,
       j.weights_digest,
       t.candidate,
       s.resolved,
       d.digest as dataset_digest,
       d.file as dataset_file
from synthesis_jobs j
join trials t on t.id = j.trial_id
join searches s on s.id = j.search_id
join datasets d on d.id = s.dataset_id
where j.id = any($1)
