-- Records curve points of worker $1: arrays of unit, attempt, epoch and what was measured.
--
-- Rule: a curve belongs to the attempt that measured it, and grows only while that attempt runs. A point sent twice
-- counts once.
insert into measurements (unit_id, attempt, epoch, train_loss, validation_loss, validation_accuracy, learning_rate)
select p.unit_id, p.attempt, p.epoch, p.train_loss, p.validation_loss, p.validation_accuracy, p.learning_rate
from unnest($2::uuid[], $3::integer[], $4::integer[], $5::float8[], $6::float8[], $7::float8[], $8::float8[])
    as p (unit_id, attempt, epoch, train_loss, validation_loss, validation_accuracy, learning_rate)
join attempts a on a.unit_id = p.unit_id and a.attempt = p.attempt
where a.worker_id = $1 and a.ended_at is null
on conflict do nothing
