-- A token; the secret itself never reaches the database.
insert into tokens (id, name, scope, digest, expires_at)
values ($1, $2, $3, $4, now() + make_interval(secs => $5::float8))
returning created_at, expires_at
