-- Cancels unit $1, or every unit of search $2.
--
-- Rule: what waits is cancelled at once; what is leased learns of it with its next heartbeat, and ends when its worker
-- lets go or its lease runs out. Rows are locked in the order of ids. Terminal states absorb.
with open as materialized (
    select id
    from units
    where (id = $1 or search_id = $2) and state in ('queued', 'leased', 'paused')
    order by id
    for update
),
cancelled as (
    update units u
    set cancel_requested = true,
        state = case u.state when 'leased' then 'leased' else 'cancelled' end,
        ended_at = case u.state when 'leased' then null else now() end
    from open
    where u.id = open.id
    returning u.id, u.search_id, u.kind, u.attempt, u.state
),
told as (
    insert into events (search_id, kind, payload)
    select search_id,
           case kind when 'trial' then 'trial.updated' else 'synthesis.updated' end,
           jsonb_build_object('id', id, 'state', state, 'attempt', attempt, 'cancel_requested', true)
    from cancelled
)
select count(*) as "count!" from cancelled
