-- Puts the trials with numbers $2 of search $1 on the front ($3) or off it.
update scores s
set on_front = $3
from trials t
where t.id = s.trial_id and t.search_id = $1 and t.number = any($2)
