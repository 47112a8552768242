-- Inserts search $1 with its first event, as one statement.
--
-- Rule: an idempotency key names one search; no row in the answer: the key is taken.
with inserted as (
    insert into searches (id, name, file, resolved, dataset_id, budget, parallel, proposal_order, synthesis_owed, idempotency_key)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    on conflict (idempotency_key) do nothing
    returning id, name, state
),
told as (
    insert into events (search_id, kind, payload)
    select id, 'search.submitted', jsonb_build_object('id', id, 'name', name, 'state', state) from inserted
)
select id from inserted
