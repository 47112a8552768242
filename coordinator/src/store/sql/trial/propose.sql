-- Creates trial number $2 of search $1 and leases it to worker $8 as its first attempt, all in one statement.
--
-- Rule: the budget is exact and a number is given once, however many coordinators propose. They meet at the row of the
-- search: whoever comes second finds another `next_number` (or another state) and inserts nothing.
-- The first trial fixes the engine version of its search: others go to workers of the same version (promise P2).
with asker as (
    select engine_version from workers where id = $8
),
turn as (
    update searches
    set next_number = next_number + 1, engine_version = (select engine_version from asker)
    where id = $1 and next_number = $2 and state = 'running' and not exhausted and next_number < budget
      and coalesce(engine_version = (select engine_version from asker), true)
    returning id
),
unit as (
    insert into units (
        id, kind, search_id, state, attempt, max_attempts, lease_owner, lease_expires_at, lease_request_id, lease_slot,
        started_at)
    select $3, 'trial', turn.id, 'leased', 1, $12, $8, now() + make_interval(secs => $11), $9, $10, now()
    from turn
    returning id, search_id
),
trial as (
    insert into trials (id, search_id, number, point, candidate, candidate_digest, origin, seed, tier0, repeat)
    select unit.id, unit.search_id, $2, $4, $5, $6, $7, $13, $14, $15
    from unit
    returning id
),
run as (
    insert into attempts (unit_id, attempt, worker_id)
    select unit.id, 1, $8 from unit
),
told as (
    insert into events (search_id, kind, payload)
    select unit.search_id, 'trial.updated',
           jsonb_build_object('id', unit.id, 'number', $2::integer, 'state', 'leased', 'attempt', 1)
    from unit
)
select id from trial
