-- Ends attempt $2 of unit $1 by worker $3 with the result of digest $4.
--
-- Rule (promise P3): at most one outcome, written by the attempt that holds the lease. Unit, attempt, worker and state
-- are all conditions; nobody's late report passes. No row: the fence refused.
with ended as (
    update units
    set state = 'completed',
        result_digest = $4,
        error_code = null,
        error_message = null,
        ended_at = now(),
        lease_owner = null,
        lease_expires_at = null,
        lease_request_id = null,
        lease_slot = null
    where id = $1 and attempt = $2 and lease_owner = $3 and state = 'leased'
    returning id, attempt, kind
)
update attempts a
set ended_at = now(), end_reason = 'completed'
from ended
where a.unit_id = ended.id and a.attempt = ended.attempt
returning ended.kind
