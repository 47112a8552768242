-- The front members before and after a trial, by LUT estimate: how a reader walks along the front.
with members as (
    select
        c.trial_id,
        lag(c.trial_id) over walk as previous,
        lead(c.trial_id) over walk as next
    from scores c
    join trials t on t.id = c.trial_id
    where c.search_id = $1 and c.on_front
    window walk as (order by (c.scores -> 'costs' ->> 'lut_estimate')::float8, t.number)
)
select previous as "previous?", next as "next?"
from members
where trial_id = $2
