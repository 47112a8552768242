-- A search's file as it was submitted and as it was resolved.
select file as "file!", resolved as "resolved!"
from searches
where id = $1
