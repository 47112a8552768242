-- Marks that search $1 has nothing more to propose after trial $2 - 1.
--
-- Rule: only the coordinator whose picture of the search is current says so.
update searches set exhausted = true where id = $1 and next_number = $2 and not exhausted
