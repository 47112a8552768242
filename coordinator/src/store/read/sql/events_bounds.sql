-- The oldest event still kept and the newest there is.
select
    coalesce((select min(seq) from events), 0) as "oldest!",
    coalesce((select max(seq) from events), 0) as "newest!"
