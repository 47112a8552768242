-- The learning curve of one attempt of a unit.
select epoch, train_loss, validation_loss, validation_accuracy, learning_rate
from measurements
where unit_id = $1 and attempt = $2
order by epoch
