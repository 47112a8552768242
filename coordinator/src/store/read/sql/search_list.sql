-- Searches, newest first, with the counts a list shows; archived ones only when asked for. Serves one search ($4) too.
-- Keyset on the id, which grows with time: pages stay whole while searches are submitted.
select
    s.id,
    s.name,
    s.state,
    s.reproducible as "reproducible!",
    s.engine_version,
    s.engine_changed,
    case
        when s.state = 'running' and (trials.queued > 0 or (not s.exhausted and s.next_number < s.budget))
        then trainers.versions
    end as other_versions,
    s.budget,
    coalesce(s.resolved ->> 'description', '') as "description!",
    coalesce(s.resolved -> 'labels', '{}') as "labels!",
    coalesce(s.resolved -> 'objectives', '[]') as "objectives!",
    s.resolved -> 'device' as "device?",
    d.file as dataset_file,
    d.digest as dataset_digest,
    trials.queued as "trials_queued!",
    trials.leased as "trials_leased!",
    trials.paused as "trials_paused!",
    trials.completed - points.completed as "trials_completed!",
    trials.failed - points.failed as "trials_failed!",
    trials.pruned as "trials_pruned!",
    trials.cancelled as "trials_cancelled!",
    points.completed as "points!",
    jobs.open as "synthesis_open!",
    jobs.completed as "synthesis_completed!",
    jobs.failed as "synthesis_failed!",
    jobs.lacks_engine as "synthesis_lacks_engine!",
    jobs.lacking as synthesis_lacking,
    coalesce(s.resolved -> 'synthesis_target' ->> 'engine', 'yosys') as "engine!",
    s.resolved -> 'synthesis_target' ->> 'part' as part,
    front.size as "front_size!",
    front.best_accuracy,
    front.least_mean_squared_error,
    front.smallest_lut_estimate,
    s.created_at,
    s.ended_at
from searches s
join datasets d on d.id = s.dataset_id
cross join lateral (
    select
        count(*) filter (where u.state = 'queued') as queued,
        count(*) filter (where u.state = 'leased') as leased,
        count(*) filter (where u.state = 'paused') as paused,
        count(*) filter (where u.state = 'completed') as completed,
        count(*) filter (where u.state = 'failed') as failed,
        count(*) filter (where u.state = 'pruned') as pruned,
        count(*) filter (where u.state = 'cancelled') as cancelled
    from units u
    where u.search_id = s.id and u.kind = 'trial'
) trials
cross join lateral (
    select
        count(*) filter (where u.state = 'completed') as completed,
        count(*) filter (where u.state = 'failed') as failed
    from trials t
    join units u on u.id = t.id
    where t.search_id = s.id and t.parent_id is not null
) points
cross join lateral (
    select
        count(*) filter (where u.state in ('queued', 'leased')) as open,
        count(*) filter (where u.state = 'completed') as completed,
        count(*) filter (where u.state = 'failed') as failed,
        count(*) filter (where u.state = 'queued' and not engine_is_here(j.tool)) as lacks_engine,
        min(j.tool) filter (where u.state = 'queued' and not engine_is_here(j.tool)) as lacking
    from units u
    join synthesis_jobs j on j.id = u.id
    where u.search_id = s.id and u.kind = 'synthesis'
) jobs
cross join lateral (
    select
        count(*) as size,
        max((c.scores ->> 'accuracy_validation')::float8) as best_accuracy,
        min((c.scores ->> 'mean_squared_error_validation')::float8) as least_mean_squared_error,
        min((c.scores -> 'costs' ->> 'lut_estimate')::float8) as smallest_lut_estimate
    from scores c
    where c.search_id = s.id and c.on_front
) front
-- Versions of the workers that are here for trials, where the search keeps to another one.
left join lateral (
    select array_agg(distinct w.engine_version order by w.engine_version) as versions
    from workers w
    where w.last_seen_at > now() - interval '1 minute' and not w.draining and 'trial' = any (w.kinds)
    having bool_and(w.engine_version <> s.engine_version)
) trainers on true
where (s.state = $1::text or ($1 is null and (s.state <> 'archived' or $4::uuid is not null)))
  and ($2::uuid is null or s.id < $2)
  and ($4 is null or s.id = $4)
order by s.id desc
limit $3
