-- The newest data set with a name: its file name, with or without the extension, or its digest.
select id, digest, file, bytes, info as "info!", created_at
from datasets
where file = $1 or regexp_replace(file, '\.[A-Za-z0-9]+$', '') = $1 or digest = $1
order by id desc
limit 1
