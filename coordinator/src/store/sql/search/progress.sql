-- How far search $1 is: its units by kind and state.
select count(*) filter (where kind = 'trial' and state not in ('completed', 'failed', 'pruned', 'cancelled')) as "open_trials!",
       count(*) filter (where kind = 'trial' and state = 'completed') as "completed_trials!",
       count(*) filter (where kind = 'trial' and state in ('failed', 'pruned', 'cancelled')) as "other_trials!",
       count(*) filter (where kind = 'synthesis' and state not in ('completed', 'failed', 'cancelled')) as "open_synthesis!",
       count(*) filter (where kind = 'synthesis' and state = 'completed') as "completed_synthesis!"
from units
where search_id = $1
