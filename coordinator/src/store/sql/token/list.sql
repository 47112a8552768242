-- Every token, newest first; nothing here could be used to log in.
select id, name, scope, created_at, expires_at, revoked_at, last_used_at
from tokens
order by id desc
