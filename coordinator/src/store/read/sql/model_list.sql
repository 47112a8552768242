-- Models, newest first; serves one model by id ($3) too.
select id, digest, file, bytes, source, notes as "notes!", candidate as "candidate!", weights_digest, created_at
from models
where ($1::uuid is null or id < $1)
  and ($3::uuid is null or id = $3)
order by id desc
limit $2
