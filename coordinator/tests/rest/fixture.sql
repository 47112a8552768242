-- Rows that REST tests read: one search with twelve trials, a synthesis job and five events.
-- Trial n has id ...0100 + n, accuracy 0.60 + n / 100 (5 and 6 are equal) and 100 n LUTs; 0 is a float network without
-- costs, 1 a uniform one; 9 failed, 10 is leased, 11 is queued; 7 and 8 are completed without a test score.
insert into datasets (id, digest, file, bytes, info) values (
    '01900000-0000-7000-8000-000000000001', repeat('d', 64), 'jets_small.npz', 1000,
    '{"inputs": 16, "features": [], "classes": ["g", "q", "W", "Z", "t"], "rows": 100, "test_rows": null}');
insert into workers (id, name, host, slots, kinds, tools, engine_version) values (
    '01900000-0000-7000-8000-000000000002', 'node <b>1</b>', 'host-1', 2, '{trial,synthesis}', '{"yosys": "0.23"}', 3);
insert into searches (id, name, file, resolved, dataset_id, budget, parallel, next_number, engine_version) values (
    '01900000-0000-7000-8000-000000000003', '<img src=x onerror=alert(1)>', '{"name": "as submitted"}',
    '{"description": "<script>alert(2)</script>", "labels": {"team": "l1t"}, "objectives": [{"metric": "accuracy", "goal": "maximize"}, {"metric": "lut_estimate", "goal": "minimize"}], "device": {"part": "xcvu9p", "clock_mhz": 200}}',
    '01900000-0000-7000-8000-000000000001', 20, 8, 12, 3);

create temporary table plan as
select n, ('01900000-0000-7000-8000-0000000001' || lpad(n::text, 2, '0'))::uuid as id,
    case when n = 9 then 'failed' when n = 10 then 'leased' when n = 11 then 'queued' else 'completed' end as state
from generate_series(0, 11) n;

insert into units (id, kind, search_id, state, attempt, lease_owner, lease_expires_at, error_code, error_message, started_at, ended_at)
select id, 'trial', '01900000-0000-7000-8000-000000000003', state, case when n = 11 then 0 else 1 end,
    case when state = 'leased' then '01900000-0000-7000-8000-000000000002'::uuid end,
    case when state = 'leased' then now() + interval '1 hour' end,
    case when state = 'failed' then 'diverged' end, case when state = 'failed' then 'the loss is not finite' end,
    case when n < 11 then now() end, case when state in ('completed', 'failed') then now() end
from plan;

insert into trials (id, search_id, number, point, candidate, candidate_digest, origin, seed)
select id, '01900000-0000-7000-8000-000000000003', n, '[0]',
    jsonb_build_object('input_shape', jsonb_build_array(16), 'head', '{"kind": "softmax"}'::jsonb, 'input_quantizer', case when n = 0 then 'float' else 'quantized_bits(8,3,1,alpha=1.0)' end,
        'layers', jsonb_build_array(
            jsonb_build_object('name', 'fc1', 'operation', jsonb_build_object('kind', 'dense', 'units', 8,
                'kernel', case when n = 0 then 'float' else 'quantized_bits(6,0,1,alpha=1.0)' end,
                'bias', case when n = 0 then 'float' else 'quantized_bits(8,3,1,alpha=1.0)' end)),
            jsonb_build_object('name', 'relu1', 'operation', jsonb_build_object('kind', 'activation',
                'quantizer', case when n = 0 then 'relu' else 'quantized_relu(4,2)' end)),
            jsonb_build_object('name', 'output', 'operation', jsonb_build_object('kind', 'dense', 'units', 5,
                'kernel', case when n = 0 then 'float' else 'ternary(alpha=1.0)' end,
                'bias', case when n = 0 then 'float' else 'quantized_bits(8,3,1,alpha=1.0)' end)))),
    md5(n::text) || md5('x' || n),
    case n when 0 then '{"origin": "seed", "label": "float"}'::jsonb when 1 then '{"origin": "seed", "label": "uniform-6"}' else '{"origin": "random"}' end,
    -1
from plan;

insert into attempts (unit_id, attempt, worker_id, ended_at, end_reason, error_code, log_tail)
select id, 1, '01900000-0000-7000-8000-000000000002', case when state in ('completed', 'failed') then now() end,
    case when state in ('completed', 'failed') then state end, case when state = 'failed' then 'diverged' end,
    'epoch 1 <i>loss</i> 0.9' || chr(10)
from plan where n < 11;

insert into scores (trial_id, attempt, search_id, engine_version, scores, on_front, measured)
select id, 1, '01900000-0000-7000-8000-000000000003', 3,
    jsonb_strip_nulls(jsonb_build_object(
        'accuracy_validation', 0.60 + case when n = 6 then 5 else n end / 100.0,
        'accuracy_test', case when n < 7 then 0.59 + n / 100.0 end,
        'auc_validation', case when n > 1 then jsonb_build_array(0.9, 0.8 - n / 100.0) end,
        'unseen', case when n in (4, 7, 8) then jsonb_build_object('validation',
            jsonb_build_object('rows', 100 * n, 'outside', 60, 'different', n - 4),
            'test', jsonb_build_object('rows', 10, 'outside', n, 'different', 0)) end,
        'background_efficiency_50_validation', case when n > 2 then jsonb_build_array(n / 10.0, 0) end,
        'costs', case when n > 0 then jsonb_build_object('bits', 1000 - n, 'energy_pj', n * 1.5, 'ebops', n * 10, 'lut_estimate', n * 100, 'ff_estimate', n * 50,
            'dsp_estimate', 0, 'bits_parameters', 900 - n, 'bits_activations', 100, 'energy_qtools_0_8_pj', n * 1.0, 'energy_qtools_0_9_pj', n * 1.1,
            'cycles', 4, 'latency_ns', 20.0, 'lut_equivalent', n * 100) end)),
    n > 0 and n <> 6,
    case when n = 2 then '{"lut_measured": 180, "ff_measured": 90, "dsp_measured": 0}'::jsonb end
from plan where state = 'completed';

insert into measurements (unit_id, attempt, epoch, train_loss, validation_loss, validation_accuracy, learning_rate)
select id, 1, epoch, case when epoch = 2 then null else 1.0 / epoch end, 1.1 / epoch, 0.5 + epoch / 100.0, 0.003
from plan, generate_series(1, 3) epoch where n = 2;

insert into units (id, kind, search_id, state, attempt, started_at, ended_at) values (
    '01900000-0000-7000-8000-000000000200', 'synthesis', '01900000-0000-7000-8000-000000000003', 'completed', 1, now(), now());
insert into attempts (unit_id, attempt, worker_id, ended_at, end_reason, log_tail) values (
    '01900000-0000-7000-8000-000000000200', 1, '01900000-0000-7000-8000-000000000002', now(), 'completed', 'yosys done');
insert into synthesis_jobs (id, search_id, trial_id, requested_by, tool, vectors, weights_digest, result, result_attempt) values (
    '01900000-0000-7000-8000-000000000200', '01900000-0000-7000-8000-000000000003', '01900000-0000-7000-8000-000000000102',
    'policy', 'yosys', 2000, repeat('a', 64), '{"lut_measured": 180, "ff_measured": 90, "dsp_measured": 0, "vectors_checked": 2000}', 1);

insert into events (search_id, kind, payload)
select '01900000-0000-7000-8000-000000000003', 'trial.updated', jsonb_build_object('number', n) from generate_series(1, 5) n;
