-- Hands the (unit, attempt) pairs $2, $3 of worker $1 back.
--
-- Rule: fenced like a completion. The attempt is NOT charged and the unit may be leased again at once; a unit that a
-- user cancelled ends here.
with asked as (
    select distinct a.id, a.attempt from unnest($2::uuid[], $3::integer[]) as a (id, attempt)
),
held as materialized (
    select u.id
    from units u
    join asked a on a.id = u.id and a.attempt = u.attempt
    where u.lease_owner = $1 and u.state = 'leased'
    order by u.id
    for update of u
),
released as (
    update units u
    set state = case when u.cancel_requested then 'cancelled' else 'queued' end,
        ended_at = case when u.cancel_requested then now() end,
        not_before = now(),
        lease_owner = null,
        lease_expires_at = null,
        lease_request_id = null,
        lease_slot = null
    from held
    where u.id = held.id and u.state = 'leased'
    returning u.id, u.search_id, u.kind, u.attempt, u.state
),
ended as (
    update attempts a
    set ended_at = now(), end_reason = case r.state when 'cancelled' then 'cancelled' else 'released' end
    from released r
    where a.unit_id = r.id and a.attempt = r.attempt
),
told as (
    insert into events (search_id, kind, payload)
    select search_id,
           case kind when 'trial' then 'trial.updated' else 'synthesis.updated' end,
           jsonb_build_object('id', id, 'state', state, 'attempt', attempt)
    from released
)
select id, search_id, state from released
