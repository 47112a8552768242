-- Leases up to $3 queued units of the kinds $6 to worker $1 for request $2, in slots from $4 on, for $5 seconds.
--
-- Rule: two claims never take one unit. `for update skip locked` passes over rows that another claim is taking, and the
-- materialized CTE keeps the planner from evaluating the limit more than once. The attempt, which is the fencing token,
-- grows with every lease. Unique (lease_request_id, lease_slot) lets only one of two equal requests through.
-- A trial goes to a worker of its search's engine version, which its first lease fixed (promise P2); a synthesis job to one that
-- has its engine.
-- A paused search leases nothing; a finished one only synthesis jobs that a user asked for later.
-- Equal circuits are synthesised once: a job waits while an equal one is leased, or waits before it, or has a result that it
-- will be given. (Two claims at the very moment when such an earlier one becomes free may take both: built twice, each
-- with its own outcome.)
with candidate as materialized (
    select u.id
    from units u
    join searches s on s.id = u.search_id
    where u.state = 'queued'
      and u.kind = any($6::text[])
      and u.not_before <= now()
      and (s.state = 'running' or (u.kind = 'synthesis' and s.state = 'finished'))
      and (u.kind = 'synthesis' or s.engine_version = (select w.engine_version from workers w where w.id = $1))
      and (u.kind = 'trial' or exists (
          select 1
          from synthesis_jobs j
          join workers w on w.id = $1 and j.tool = any (w.engines)
          where j.id = u.id))
      and (u.kind = 'trial' or not exists (
          select 1
          from synthesis_jobs j
          join synthesis_jobs equal using (circuit_digest, tool, part, options, vectors)
          join units e on e.id = equal.id
          join searches es on es.id = e.search_id
          where j.id = u.id
            and e.id <> u.id
            and (e.state = 'leased'
                 or (e.state = 'queued'
                     and e.not_before <= now()
                     and es.state in ('running', 'finished')
                     and (-e.priority, e.not_before, e.id) < (-u.priority, u.not_before, u.id)))))
      and (u.kind = 'trial' or not exists (select 1 from synthesis_sharable where synthesis_sharable.id = u.id))
    order by u.priority desc, u.not_before, u.id
    limit $3
    for update of u skip locked
),
slotted as (
    select id, (row_number() over () - 1)::integer + $4::integer as slot
    from candidate
),
leased as (
    update units u
    set state = 'leased',
        attempt = u.attempt + 1,
        lease_owner = $1,
        lease_expires_at = now() + make_interval(secs => $5),
        lease_request_id = $2,
        lease_slot = slotted.slot,
        started_at = coalesce(u.started_at, now())
    from slotted
    where u.id = slotted.id and u.state = 'queued'
    returning u.id, u.search_id, u.kind, u.attempt
),
run as (
    insert into attempts (unit_id, attempt, worker_id)
    select id, attempt, $1 from leased
),
told as (
    insert into events (search_id, kind, payload)
    select search_id,
           case kind when 'trial' then 'trial.updated' else 'synthesis.updated' end,
           jsonb_build_object('id', id, 'state', 'leased', 'attempt', attempt)
    from leased
)
select id, kind, attempt from leased
