-- How far search $1 is: its units by kind and state. What runs left behind (`points`) is not counted among the trials.
with points as (
    select count(*) filter (where u.state = 'completed') as completed,
           count(*) filter (where u.state in ('failed', 'pruned', 'cancelled')) as other
    from trials t
    join units u on u.id = t.id
    where t.search_id = $1 and t.parent_id is not null
)
select count(*) filter (where kind = 'trial' and state not in ('completed', 'failed', 'pruned', 'cancelled')) as "open_trials!",
       count(*) filter (where kind = 'trial' and state = 'completed') - (select completed from points) as "completed_trials!",
       count(*) filter (where kind = 'trial' and state in ('failed', 'pruned', 'cancelled')) - (select other from points) as "other_trials!",
       count(*) filter (where kind = 'synthesis' and state not in ('completed', 'failed', 'cancelled')) as "open_synthesis!",
       count(*) filter (where kind = 'synthesis' and state = 'completed') as "completed_synthesis!",
       (select completed from points) as "points!"
from units
where search_id = $1
