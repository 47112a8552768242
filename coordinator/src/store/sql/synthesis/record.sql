-- Records what attempt $2 of synthesis job $1 measured; the fence was passed in the same transaction.
update synthesis_jobs set result = $3, result_attempt = $2 where id = $1 returning trial_id
