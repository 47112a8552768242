-- Engine versions (promise P2): what a worker trains and scores with, what each result was made by, and the one that a search
-- keeps to.
--
-- Forward-only. 0 is the version of whatever was made, or is made, by workers that announce none.
alter table workers add column engine_version integer not null default 0 check (engine_version >= 0);
alter table scores add column engine_version integer not null default 0 check (engine_version >= 0);

alter table searches
    -- Of the workers that its trials go to; null until the first trial is leased, whose worker's it becomes.
    add column engine_version integer check (engine_version >= 0),
    -- A user had it go on with another version than its first trials were made by.
    add column engine_changed boolean not null default false;
update searches set engine_version = 0 where next_number > 0;

alter table searches drop column reproducible;
alter table searches
    add column reproducible boolean not null generated always as (proposal_order = 'number' and not engine_changed) stored;
