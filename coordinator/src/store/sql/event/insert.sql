-- Tells watchers of search $1 that something happened. Comes last in a transaction: writers of events take turns.
insert into events (search_id, kind, payload) values ($1, $2, $3)
