-- Records what attempt $2 of synthesis job $1 measured; the fence was passed in the same transaction.
--
-- Rule: the job's circuit is the one that was built, with the part and the options it was built with. Where that is not what was
-- asked for (a worker of another version of Bitfront), jobs that waited for it wait no longer.
update synthesis_jobs
set result = $3,
    result_attempt = $2,
    circuit_digest = substring($3::jsonb ->> 'rtl_digest' from '^[0-9a-f]{64}$'),
    part = coalesce($3::jsonb ->> 'part', part),
    options = coalesce($3::jsonb ->> 'options', options)
where id = $1
returning trial_id
