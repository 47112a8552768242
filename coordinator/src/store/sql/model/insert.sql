-- Registers model $1; the same bytes under the same digest are one model. Answers the row that stands.
with inserted as (
    insert into models (id, digest, file, bytes, source, notes, candidate, weights_digest)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (digest) do nothing
    returning id
)
select id as "id!", true as "is_new!" from inserted
union all
select id as "id!", false as "is_new!" from models where digest = $2
limit 1
