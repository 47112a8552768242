-- Asks worker $1 to drain and stop; it learns of it with its next heartbeat or lease call.
update workers set stop_requested = true where id = $1 returning id
