-- Ties the artifacts of kinds $3 and digests $4 to attempt $2 of unit $1.
--
-- Rule: every artifact that is referred to is there. Fewer rows than asked for: some were never uploaded.
insert into unit_artifacts (unit_id, attempt, kind, digest)
select $1, $2, given.kind, given.digest
from unnest($3::text[], $4::text[]) as given (kind, digest)
join artifacts a on a.digest = given.digest
on conflict do nothing
