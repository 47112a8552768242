-- The token with a digest, if it is neither revoked nor expired by the database's clock. Notes its use, at most once a
-- minute, so that a busy token does not rewrite its row with every call.
with found as (
    select id, name, scope
    from tokens
    where digest = $1 and revoked_at is null and (expires_at is null or expires_at > now())
), noted as (
    update tokens
    set last_used_at = now()
    where id = (select id from found) and (last_used_at is null or last_used_at < now() - interval '1 minute')
)
select id as "id!", name as "name!", scope as "scope!" from found
