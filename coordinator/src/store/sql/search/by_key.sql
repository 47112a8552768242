-- The search that an idempotency key names, with what was submitted then.
select id, file from searches where idempotency_key = $1
