-- Trials of a search ($1), or one trial ($8), sorted by number or by any score; a trial without the score comes
-- last, whichever the direction.
-- Keyset on (sort key, number): a page token names the last row of the page before it, and no row is counted off.
-- The sort name ($3) is one of the names the handler accepts; it reaches the database as a value, never as text of
-- the statement.
with keyed as (
    select
        t.id,
        t.search_id,
        t.number,
        t.origin ->> 'label' as label,
        u.state,
        u.attempt,
        u.error_code,
        u.error_message,
        u.started_at,
        u.ended_at,
        w.name as worker,
        jsonb_path_query_array(t.candidate, '$.layers[*].**{0 to 1}.kernel') as kernels,
        c.scores,
        coalesce(c.on_front, false) as on_front,
        y.id as synthesis_id,
        y.state as synthesis_state,
        y.result as synthesis_result,
        c.measured,
        c.engine_version,
        s.resolved -> 'device' as device,
        coalesce($4::float8 * case $3::text
            when 'number' then t.number::float8
            when 'accuracy_test' then (c.scores ->> 'accuracy_test')::float8
            when 'mean_squared_error_test' then (c.scores ->> 'mean_squared_error_test')::float8
            when 'unseen_outside' then
                (c.scores #>> '{unseen,validation,outside}')::float8 / nullif((c.scores #>> '{unseen,validation,rows}')::float8, 0)
            when 'unseen_different' then
                (c.scores #>> '{unseen,validation,different}')::float8 / nullif((c.scores #>> '{unseen,validation,rows}')::float8, 0)
            else coalesce(
                (c.scores -> 'costs' ->> $3::text)::float8,
                (c.measured ->> $3::text)::float8,
                case jsonb_typeof(c.scores -> ($3::text || '_validation'))
                    when 'number' then (c.scores ->> ($3::text || '_validation'))::float8
                end,
                -- What each class has a figure of counts by its mean.
                (
                    select avg(value::float8)
                    from jsonb_array_elements_text(
                        case jsonb_typeof(c.scores -> ($3::text || '_validation'))
                            when 'array' then c.scores -> ($3::text || '_validation')
                            else '[]'
                        end) as per_class (value)))
        end, 'Infinity') as sort_key
    from trials t
    join units u on u.id = t.id
    join searches s on s.id = t.search_id
    left join scores c on c.trial_id = t.id
    left join attempts a on a.unit_id = t.id and a.attempt = u.attempt
    left join workers w on w.id = a.worker_id
    left join lateral (
        select j.id, ju.state, j.result
        from synthesis_jobs j
        join units ju on ju.id = j.id
        where j.trial_id = t.id
          and j.tool = coalesce(s.resolved -> 'synthesis_target' ->> 'engine', 'yosys')
        order by (ju.state = 'completed') desc, j.id desc
        limit 1
    ) y on true
    where ($1::uuid is null or t.search_id = $1)
      and ($2::text[] is null or u.state = any ($2))
      and ($8::uuid is null or t.id = $8)
      and (not $9::boolean or c.on_front)
      and (not $10::boolean or t.origin ->> 'label' is not null)
      and ($11::integer[] is null or t.number = any ($11))
)
select
    id as "id!",
    search_id as "search_id!",
    number as "number!",
    label,
    state as "state!",
    attempt as "attempt!",
    error_code,
    error_message,
    started_at,
    ended_at,
    worker as "worker?",
    kernels as "kernels!",
    scores as "scores?",
    on_front as "on_front!",
    synthesis_id as "synthesis_id?",
    synthesis_state as "synthesis_state?",
    synthesis_result as "synthesis_result?",
    measured as "measured?",
    engine_version as "engine_version?",
    device as "device?",
    sort_key as "sort_key!"
from keyed
where $5::float8 is null or (sort_key, number) > ($5, $6::integer)
order by sort_key, number
limit $7
