-- What the attempts of a unit of work produced.
select f.attempt, f.kind, f.digest, a.bytes
from unit_artifacts f
join artifacts a on a.digest = f.digest
where f.unit_id = $1
order by f.attempt, f.kind
