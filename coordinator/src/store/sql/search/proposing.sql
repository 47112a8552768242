-- Running searches that may propose another trial: the most urgent first, then those with the least leased work.
select s.id, s.next_number
from searches s
left join lateral (
    select count(*) as leased from units u where u.search_id = s.id and u.kind = 'trial' and u.state = 'leased'
) busy on true
where s.state = 'running' and not s.exhausted and s.next_number < s.budget
order by s.priority desc, busy.leased, s.id
limit 50
