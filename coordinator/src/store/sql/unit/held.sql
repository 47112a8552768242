-- The leases that request $2 of worker $1 was given and that still live, extended by $3 seconds from now.
--
-- Rule: asking again with the same request id gives the same leases, whole, so that a lost answer costs nothing.
with held as (
    update units
    set lease_expires_at = now() + make_interval(secs => $3)
    where lease_owner = $1 and lease_request_id = $2 and state = 'leased' and lease_expires_at > now()
    returning id, kind, attempt, lease_slot
)
select id, kind, attempt from held order by lease_slot
