-- Extends the leases of worker $1 on the (unit, attempt) pairs $2, $3 by $4 seconds from now, in one statement.
--
-- Rule: only the attempt that holds the lease extends it, under every part of the fence: unit, attempt, worker, state.
-- Rows are locked in the order of ids, as a cancel locks them, so that the two cannot deadlock. A lease that has run
-- out but that nobody reaped yet is still its holder's. No row in the answer for a pair: lost.
with asked as (
    select distinct a.id, a.attempt from unnest($2::uuid[], $3::integer[]) as a (id, attempt)
),
held as materialized (
    select u.id, u.attempt, u.cancel_requested
    from units u
    join asked a on a.id = u.id and a.attempt = u.attempt
    where u.lease_owner = $1 and u.state = 'leased'
    order by u.id
    for update of u
)
update units u
set lease_expires_at = now() + make_interval(secs => $4)
from held
where u.id = held.id
returning u.id, u.attempt, held.cancel_requested
