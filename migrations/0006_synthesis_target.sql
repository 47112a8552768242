-- Synthesis jobs of several engines: what a job is built by, and which workers can.
--
-- Forward-only. Every job from before is Yosys', with the options that it has always had.
alter table synthesis_jobs
    -- The part that the engine places for; empty where it places nothing.
    add column part text not null default '',
    -- Options that decide about the figures: as the search asks for them, then as the job was run with.
    add column options text not null default '';
update synthesis_jobs
set part = coalesce(result ->> 'part', ''),
    options = coalesce(result ->> 'options', case when result is null then 'synth_xilinx -family xcup -noiopad -noclkbuf -nosrl -nodsp -flatten' else '' end);

alter table workers
    -- Engines whose programs it has.
    add column engines text[] not null default '{}';
update workers set engines = '{yosys}' where 'synthesis' = any (kinds);

-- Whether a worker that is here takes jobs of an engine.
create function engine_is_here(engine text) returns boolean language sql stable as $$
    select exists (
        select 1
        from workers w
        where w.last_seen_at > now() - interval '1 minute'
          and not w.draining
          and 'synthesis' = any (w.kinds)
          and engine = any (w.engines))
$$;

-- What makes two jobs equal: RTL, engine, part, options and vectors.
drop index synthesis_jobs_equal;
create index synthesis_jobs_equal on synthesis_jobs (circuit_digest, tool, part, options, vectors) where circuit_digest is not null;

-- Jobs that wait, and an equal one that has ended with a result they may take over, measured with the versions of the
-- engine's programs that a worker which is here would measure with.
create or replace view synthesis_sharable as
select distinct on (waiting.id) waiting.id, waiting.search_id, done.id as source_id
from units u
join synthesis_jobs waiting on waiting.id = u.id
join synthesis_jobs done using (circuit_digest, tool, part, options, vectors)
where u.state = 'queued'
  and u.kind = 'synthesis'
  and done.result_attempt is not null
  and exists (
      select 1
      from workers w
      where w.last_seen_at > now() - interval '1 minute'
        and not w.draining
        and done.tool = any (w.engines)
        and w.tools @> coalesce(done.result -> 'tool_versions', jsonb_build_object(done.tool, done.result ->> 'tool_version')))
order by waiting.id, done.id;
