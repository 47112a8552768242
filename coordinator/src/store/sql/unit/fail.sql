-- Ends attempt $2 of unit $1 by worker $3 with the error $4, $5; $6 says whether another attempt could succeed.
--
-- Rule: fenced like a completion. The attempt is charged. The unit is queued again, later each time, while attempts are
-- left, and fails otherwise; a unit that a user cancelled meanwhile is cancelled.
with ended as (
    update units
    set charged = charged + 1,
        state = case
            when cancel_requested then 'cancelled'
            when $6 and charged + 1 < max_attempts then 'queued'
            else 'failed'
        end,
        ended_at = case when not cancel_requested and $6 and charged + 1 < max_attempts then null else now() end,
        not_before = now() + make_interval(secs => least(60, power(2, charged)) * (0.5 + random() / 2)),
        error_code = $4,
        error_message = $5,
        lease_owner = null,
        lease_expires_at = null,
        lease_request_id = null,
        lease_slot = null
    where id = $1 and attempt = $2 and lease_owner = $3 and state = 'leased'
    returning id, attempt, kind, state
)
update attempts a
set ended_at = now(),
    end_reason = case ended.state when 'cancelled' then 'cancelled' else 'failed' end,
    error_code = $4,
    error_message = $5
from ended
where a.unit_id = ended.id and a.attempt = ended.attempt
returning ended.kind, ended.state
