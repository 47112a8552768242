-- Which of the digests $1 were never uploaded.
select given.digest as "digest!"
from unnest($1::text[]) as given (digest)
where not exists (select 1 from artifacts a where a.digest = given.digest)
