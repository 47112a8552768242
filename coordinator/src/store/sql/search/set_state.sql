-- Sets the state of search $1, whose row the transaction has locked and whose change `life` has allowed.
--
-- Rule: a search has an end exactly when it is over.
update searches
set state = $2,
    ended_at = case when $2 in ('running', 'paused') then null else coalesce(ended_at, now()) end
where id = $1
