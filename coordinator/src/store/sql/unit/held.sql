-- The leases that request $2 of worker $1 was given and that still live.
--
-- Rule: asking again with the same request id gives the same leases, so that a lost answer costs nothing.
select id, kind, attempt
from units
where lease_owner = $1 and lease_request_id = $2 and state = 'leased' and lease_expires_at > now()
order by lease_slot
