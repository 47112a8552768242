-- Searches with waiting synthesis jobs whose circuit was synthesised already.
select distinct search_id as "search_id!" from synthesis_sharable limit 100
