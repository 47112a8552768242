-- Events after a sequence number, in order; of one search ($2) or of all.
select seq, search_id, kind, payload as "payload!", at
from events
where seq > $1 and ($2::uuid is null or search_id = $2)
order by seq
limit $3
