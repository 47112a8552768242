-- Open searches with no open unit and nothing to propose: a coordinator died between the last outcome and the end.
--
-- Rule: whatever is killed when, a search whose work is done becomes finished.
select s.id
from searches s
where s.state in ('running', 'paused')
  and (s.exhausted or s.next_number >= s.budget)
  and not exists (
      select 1 from units u where u.search_id = s.id and u.state in ('queued', 'leased', 'paused'))
limit 100
