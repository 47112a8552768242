-- The resolved file of search $1; it never changes.
select resolved from searches where id = $1
