-- Records trial $3 of id $1, which run $2 left behind in its attempt $4 by worker $5: unit, trial, attempt, weights and
-- scores, in state $6 from the start. Its seed is the run's.
--
-- Rule (promise P3): it is part of the transaction that ends the run, behind the fence, so that a run's points are there
-- once, all or none. No lease is ever given for them.
with run as (
    select t.id, t.search_id, t.seed, u.started_at
    from trials t
    join units u on u.id = t.id
    where t.id = $2
),
unit as (
    insert into units (id, kind, search_id, state, attempt, error_code, error_message, started_at, ended_at)
    select $1, 'trial', run.search_id, $6, 1, $7, $8, run.started_at, now() from run
    returning id, search_id
),
trial as (
    insert into trials (id, search_id, number, candidate, candidate_digest, origin, seed, parent_id)
    select unit.id, unit.search_id, $3, $9, $10, $11, run.seed, run.id from unit, run
    returning id
),
attempt as (
    insert into attempts (unit_id, attempt, worker_id, started_at, ended_at, end_reason, error_code, error_message, log_tail)
    select unit.id, 1, $5, coalesce(run.started_at, now()), now(), $6, $7, $8,
           'left behind by attempt ' || $4::integer || ' of the run: its log says how'
    from unit, run
),
weights as (
    insert into unit_artifacts (unit_id, attempt, kind, digest)
    select unit.id, 1, 'weights', $12 from unit where $12::text is not null
)
insert into scores (trial_id, attempt, search_id, scores, engine_version)
select unit.id, 1, unit.search_id, $13, w.engine_version
from unit
join workers w on w.id = $5
where $13::jsonb is not null
