-- What a worker needs to run the trials $1: the resolved search, the candidate, the seed, the data set.
select t.id,
       t.search_id,
       t.number,
       t.candidate,
       t.seed,
       s.resolved,
       d.digest as dataset_digest,
       d.file as dataset_file
from trials t
join searches s on s.id = t.search_id
join datasets d on d.id = s.dataset_id
where t.id = any($1)
