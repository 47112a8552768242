-- Locks search $1 for a transaction that records something in it.
--
-- Rule: outcomes of one search are recorded one after the other, so that its front and its end are computed from all of
-- them. Locks go in the order search, units, events. (`no key`: rows that refer to the search may still be inserted.)
select id, name, state, resolved, next_number, budget, exhausted, synthesis_owed
from searches
where id = $1
for no key update
