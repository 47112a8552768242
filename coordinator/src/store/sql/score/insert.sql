-- Records the scores of trial $1, measured by attempt $2 of worker $4 with its engine version; the fence was passed in the same transaction.
--
-- Rule: the primary key allows one outcome a trial, the foreign key only one of an attempt that existed.
insert into scores (trial_id, attempt, search_id, scores, engine_version)
select t.id, $2, t.search_id, $3, w.engine_version
from trials t
join workers w on w.id = $4
where t.id = $1
returning (select number from trials where id = $1) as "number!"
