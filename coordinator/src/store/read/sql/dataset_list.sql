-- Data sets, newest first; serves one data set by id ($3) or digest ($4) too.
select id, digest, file, bytes, info as "info!", created_at
from datasets
where ($1::uuid is null or id < $1)
  and ($3::uuid is null or id = $3)
  and ($4::text is null or digest = $4)
order by id desc
limit $2
