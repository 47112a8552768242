-- Queues synthesis job $1 of trial number $3 in search $2, for tool $4 with $5 vectors, asked for by $6, on part $7 with
-- options $8.
--
-- Rule: a trial has at most one job a tool, and only a completed trial, whose weights are kept, has one. No row in the
-- answer: it has one already, or has no weights.
with source as (
    select t.id as trial_id, t.search_id, w.digest, substring(s.scores ->> 'circuit_digest' from '^[0-9a-f]{64}$') as circuit_digest
    from trials t
    join scores s on s.trial_id = t.id
    join unit_artifacts w on w.unit_id = t.id and w.attempt = s.attempt and w.kind = 'weights'
    where t.search_id = $2 and t.number = $3
      and not exists (select 1 from synthesis_jobs j where j.trial_id = t.id and j.tool = $4)
    limit 1
),
unit as (
    insert into units (id, kind, search_id)
    select $1, 'synthesis', source.search_id from source
    returning id
),
told as (
    insert into events (search_id, kind, payload)
    select search_id, 'synthesis.updated', jsonb_build_object('id', $1::uuid, 'trial', $3::integer, 'state', 'queued')
    from source
)
insert into synthesis_jobs (id, search_id, trial_id, requested_by, tool, part, options, vectors, weights_digest, circuit_digest)
select unit.id, source.search_id, source.trial_id, $6, $4, $7, $8, $5, source.digest, source.circuit_digest
from unit, source
returning id
