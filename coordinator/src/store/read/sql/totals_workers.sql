-- Workers that were seen in the last minute.
select count(*) as "seen!" from workers where last_seen_at > now() - interval '1 minute'
