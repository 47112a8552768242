-- Runs that learn bit widths: the candidates a run keeps are trials of their own, recorded with the run's outcome.
--
-- Forward-only. A run is a trial of the float network; `repeat` tells runs of one search apart.
alter table trials
    -- The run that left this trial behind; null for a trial that a worker leased.
    add column parent_id uuid references trials (id);

-- Equal candidates of a search are never trained twice. Points of runs are not trained again by anyone, and two epochs may
-- give the same formats with other weights.
alter table trials drop constraint trials_search_id_candidate_digest_repeat_key;
create unique index trials_trained_once on trials (search_id, candidate_digest, repeat) where parent_id is null;
create index trials_of_runs on trials (search_id) where parent_id is not null;
