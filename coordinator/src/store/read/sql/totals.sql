-- Units of work by kind and state, for the metrics page.
select kind, state, count(*) as "count!"
from units
group by kind, state
