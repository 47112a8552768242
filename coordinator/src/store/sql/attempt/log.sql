-- Appends log text $4 to the running attempts $2, $3 of worker $1, keeping the last 64 Ki characters.
update attempts a
set log_tail = right(a.log_tail || given.log_text, 65536)
from unnest($2::uuid[], $3::integer[], $4::text[]) as given (unit_id, attempt, log_text)
where a.unit_id = given.unit_id and a.attempt = given.attempt and a.worker_id = $1 and a.ended_at is null
