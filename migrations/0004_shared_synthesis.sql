-- Equal circuits are synthesised once, whatever searches their trials are of.
--
-- Forward-only. Results from before have no `circuit_digest` and are not shared: they passed fewer checks.
alter table synthesis_jobs
    -- SHA-256 of the RTL: as the trial's worker wrote it, then as the job built it.
    add column circuit_digest text check (circuit_digest ~ '^[0-9a-f]{64}$'),
    -- The job whose result this one took over.
    add column shared_from uuid references synthesis_jobs (id),
    add constraint synthesis_jobs_shared_whole check (
        shared_from is null or (result is not null and result_attempt is null));
create index synthesis_jobs_equal on synthesis_jobs (circuit_digest, tool, vectors) where circuit_digest is not null;

-- Jobs that wait, and an equal one that has ended with a result they may take over: the same RTL by the same tool with as
-- many vectors, measured in a version of the tool that a worker which is here would measure with.
create view synthesis_sharable as
select distinct on (waiting.id) waiting.id, waiting.search_id, done.id as source_id
from units u
join synthesis_jobs waiting on waiting.id = u.id
join synthesis_jobs done using (circuit_digest, tool, vectors)
where u.state = 'queued'
  and u.kind = 'synthesis'
  and done.result_attempt is not null
  and exists (
      select 1
      from workers w
      where w.last_seen_at > now() - interval '1 minute'
        and not w.draining
        and w.tools ->> done.tool = done.result ->> 'tool_version')
order by waiting.id, done.id;
