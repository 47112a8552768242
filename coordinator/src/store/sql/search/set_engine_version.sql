-- Has search $1, whose row the transaction has locked, go on with engine version $2; whether that changed anything.
--
-- Rule: a search whose trials were given to workers of more than one version is not reproducible, and says so (promise P2).
update searches
set engine_version = $2,
    engine_changed = engine_changed or next_number > 0
where id = $1 and engine_version is distinct from $2
