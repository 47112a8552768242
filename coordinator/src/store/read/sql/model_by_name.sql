-- The newest model with a name: its file name, with or without the extension, or its digest.
select id, digest, file, bytes, source, notes as "notes!", candidate as "candidate!", weights_digest, created_at
from models
where file = $1 or regexp_replace(file, '\.[^.]*$', '') = $1 or digest = $1
order by id desc
limit 1
