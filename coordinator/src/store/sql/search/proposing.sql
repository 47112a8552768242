-- Running searches that may propose another trial to worker $1: the most urgent first, then those with the least leased work.
--
-- Rule: a search keeps to the engine version of its first trial (promise P2).
select s.id, s.next_number
from searches s
left join lateral (
    select count(*) as leased from units u where u.search_id = s.id and u.kind = 'trial' and u.state = 'leased'
) busy on true
where s.state = 'running' and not s.exhausted and s.next_number < s.budget
  and coalesce(s.engine_version = (select w.engine_version from workers w where w.id = $1), true)
order by s.priority desc, busy.leased, s.id
limit 50
