-- Registers data set $1; the same bytes under the same digest are one data set. Answers the row that stands.
with inserted as (
    insert into datasets (id, digest, file, bytes, info)
    values ($1, $2, $3, $4, $5)
    on conflict (digest) do nothing
    returning id
)
select id as "id!" from inserted
union all
select id as "id!" from datasets where digest = $2
limit 1
