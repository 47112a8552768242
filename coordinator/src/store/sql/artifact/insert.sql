-- Notes that the bytes of digest $1 are safe on disk; noting it again changes nothing.
insert into artifacts (digest, bytes) values ($1, $2) on conflict (digest) do nothing
