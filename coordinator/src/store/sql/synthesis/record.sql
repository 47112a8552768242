-- Records what attempt $2 of synthesis job $1 measured; the fence was passed in the same transaction.
--
-- Rule: the job's circuit is the one that was built. Where it is not the one that the trial's worker wrote (another version
-- of Bitfront), jobs that waited for that one wait no longer.
update synthesis_jobs
set result = $3, result_attempt = $2, circuit_digest = substring($3::jsonb ->> 'rtl_digest' from '^[0-9a-f]{64}$')
where id = $1
returning trial_id
