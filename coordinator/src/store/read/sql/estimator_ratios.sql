-- Measured / estimated of the circuits that synthesis jobs have built, sorted, for everything that could make a difference:
-- engine, versions of its programs, part, options, and the version of Bitfront that made the estimate. All ($1 null), or those
-- that trial $1 is predicted from: of its search's engine ($2), part ($3) and options ($4), with estimates of the version that
-- made its own.
--
-- Rule: a circuit counts once, whatever jobs built it or took its result over; what was neither estimated nor measured says
-- nothing of a ratio.
with built as (
    select distinct on (j.tool, tool_version, j.part, j.options, w.version, circuit)
        j.tool as engine,
        coalesce(
            (select string_agg(key || ' ' || value, ', ' order by key) from jsonb_each_text(j.result -> 'tool_versions') having count(*) > 1),
            j.result ->> 'tool_version',
            '') as tool_version,
        j.part,
        j.options,
        w.version as estimator_version,
        coalesce(j.circuit_digest, j.id::text) as circuit,
        u.ended_at,
        (j.result ->> 'lut_measured')::float8 / nullif((s.scores -> 'costs' ->> 'lut_estimate')::float8, 0) as lut,
        (j.result ->> 'ff_measured')::float8 / nullif((s.scores -> 'costs' ->> 'ff_estimate')::float8, 0) as ff,
        (j.result ->> 'carry_measured')::float8 / nullif((s.scores -> 'costs' ->> 'carry_estimate')::float8, 0) as carry
    from synthesis_jobs j
    join units u on u.id = j.id
    join scores s on s.trial_id = j.trial_id
    join attempts a on a.unit_id = s.trial_id and a.attempt = s.attempt
    join workers w on w.id = a.worker_id
    where j.result_attempt is not null
      and ($2::text is null or j.tool = $2)
      and ($3::text is null or j.part = $3)
      and ($4::text is null or j.options = $4)
      and ($1::uuid is null or w.version = (
          select own.version
          from scores o
          join attempts oa on oa.unit_id = o.trial_id and oa.attempt = o.attempt
          join workers own on own.id = oa.worker_id
          where o.trial_id = $1))
    order by j.tool, tool_version, j.part, j.options, w.version, circuit, j.id
)
select
    engine as "engine!",
    tool_version as "tool_version!",
    part as "part!",
    options as "options!",
    estimator_version as "estimator_version!",
    count(*) as "circuits!",
    max(ended_at) as "last_ended_at!",
    coalesce(array_agg(lut order by lut) filter (where lut > 0), '{}') as "lut!",
    coalesce(array_agg(ff order by ff) filter (where ff > 0), '{}') as "ff!",
    coalesce(array_agg(carry order by carry) filter (where carry > 0), '{}') as "carry!"
from built
group by engine, tool_version, part, options, estimator_version
order by max(ended_at) desc, engine, tool_version, part, options, estimator_version
