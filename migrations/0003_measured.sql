-- What synthesis measured of a trial, beside its scores: `search::scores::Measured`, from the tool whose counts
-- are compared. Kept here, so that fronts, sorting and plots read one row a trial, whatever jobs it has.
alter table scores add column measured jsonb check (jsonb_typeof(measured) = 'object');

update scores s
set measured = (
    select jsonb_object_agg(count.key, count.value)
    from jsonb_each(j.result) count
    where count.key in ('lut_measured', 'ff_measured', 'dsp_measured', 'carry_measured'))
from synthesis_jobs j
where j.trial_id = s.trial_id and j.tool = 'yosys' and j.result is not null;
