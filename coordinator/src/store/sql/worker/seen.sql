-- Notes that worker $1 is alive and whether it drains ($2, null: unchanged); answers whether it shall stop.
update workers set last_seen_at = now(), draining = coalesce($2, draining) where id = $1 returning stop_requested
