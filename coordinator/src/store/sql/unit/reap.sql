-- Ends up to $1 leases that have run out.
--
-- Rule: expiry is judged by database time only, in the statement that acts on it, so a renewal that came first wins.
-- The attempt is charged; the unit is queued again, later each time, while attempts are left, and fails as poison
-- otherwise. Every coordinator runs this; it needs no leader.
with expired as materialized (
    select id
    from units
    where state = 'leased' and lease_expires_at <= now()
    order by id
    limit $1
    for update skip locked
),
reaped as (
    update units u
    set charged = u.charged + 1,
        state = case
            when u.cancel_requested then 'cancelled'
            when u.charged + 1 < u.max_attempts then 'queued'
            else 'failed'
        end,
        ended_at = case when not u.cancel_requested and u.charged + 1 < u.max_attempts then null else now() end,
        not_before = now() + make_interval(secs => least(60, power(2, u.charged)) * (0.5 + random() / 2)),
        error_code = 'lease-expired',
        error_message = 'the worker of attempt ' || u.attempt || ' sent no heartbeat in time',
        lease_owner = null,
        lease_expires_at = null,
        lease_request_id = null,
        lease_slot = null
    from expired
    where u.id = expired.id and u.state = 'leased' and u.lease_expires_at <= now()
    returning u.id, u.search_id, u.kind, u.attempt, u.state
),
ended as (
    update attempts a
    set ended_at = now(),
        end_reason = 'lease_expired',
        error_code = 'lease-expired',
        error_message = 'the worker sent no heartbeat in time'
    from reaped r
    where a.unit_id = r.id and a.attempt = r.attempt
),
told as (
    insert into events (search_id, kind, payload)
    select search_id,
           case kind when 'trial' then 'trial.updated' else 'synthesis.updated' end,
           jsonb_build_object('id', id, 'state', state, 'attempt', attempt)
    from reaped
)
select id, search_id, state, attempt from reaped
