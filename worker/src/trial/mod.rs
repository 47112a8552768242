//! One trial: fetch the data and the starting weights, train the candidate, score it, keep its weights; of a search that
//! learns bit widths, go on from them.

mod footprint;
mod learned;
mod recipe;
mod score;
mod split;
mod teacher;

use std::sync::Arc;
use std::time::Instant;

use bitfront_dataset::{Aim, Prepared, SplitSpec, Table, TestRows};
use bitfront_learned_bits::learning_bytes;
use bitfront_network::{Candidate, Head, Weights};
use bitfront_proto::v1::{EpochMeasurement, TrialWork};
use bitfront_search::Search;
use bitfront_search::learned::RunResult;
use bitfront_search::search::Sampler;
use bitfront_training::{
    Control, ENGINE_VERSION, Recipe, Samples, SoftTargets, Targets, TrainError, Trainer,
    training_bytes,
};

pub use score::{ScoreError, score};
pub(crate) use score::{freeze, no_circuit};
pub(crate) use split::Measured;
pub(crate) use teacher::Teachers;

use crate::attempt::Attempt;
use crate::cache::Held;
use crate::context::Context;
use crate::error::{Ended, Failure};
use crate::executor::{Produced, on_thread};
use crate::link::Artifact;

use recipe::recipe;

/// Runs a trial to its scores.
pub(crate) async fn run(context: &Context, attempt: &Arc<Attempt>, work: TrialWork) -> Produced {
    let (search, candidate) = match parse(&work.search_json, &work.candidate_json) {
        Ok(parsed) => parsed,
        Err(failure) => return Produced::ended(failure),
    };
    let data = match data(
        context,
        attempt,
        &search,
        &work.dataset_digest,
        &work.dataset_file,
    )
    .await
    {
        Ok(data) => data,
        Err(ended) => return Produced::ended(ended),
    };
    let start = match start(context, attempt, &search).await {
        Ok(start) => start,
        Err(ended) => return Produced::ended(ended),
    };
    if let Err(failure) = has_room(context.config.slot_memory(), &search, &candidate, &data) {
        return Produced::ended(failure);
    }
    let on_cpu = on_thread("trial", {
        let (attempt, teachers) = (Arc::clone(attempt), Arc::clone(&context.teachers));
        move || {
            train_and_score(
                &teachers, &attempt, &search, &candidate, start, &data, &work,
            )
        }
    });
    match on_cpu.await {
        Ok(produced) => produced,
        Err(failure) => Produced::ended(failure),
    }
}

/// Reads what a lease says; the coordinator wrote it, so a fault is a difference of versions.
pub(crate) fn parse(search: &str, candidate: &str) -> Result<(Search, Candidate), Failure> {
    let odd = |field: &str, e: &serde_json::Error| {
        Failure::lasting("internal", format!("lease field {field}: {e}"))
    };
    let search = serde_json::from_str(search).map_err(|e| odd("search_json", &e))?;
    let candidate = serde_json::from_str(candidate).map_err(|e| odd("candidate_json", &e))?;
    Ok((search, candidate))
}

/// The search's splits of its data set.
pub(crate) async fn data(
    context: &Context,
    attempt: &Attempt,
    search: &Search,
    digest: &str,
    file: &str,
) -> Result<Arc<Held>, Ended> {
    let (aim, split) = splits(search);
    tokio::select! {
        () = attempt.stopped() => Err(Ended::Stopped),
        data = context.cache.prepared(&context.link, digest, file, &aim, &split) => Ok(data?),
    }
}

/// What a search predicts of its data set, and how it splits the rows.
pub fn splits(search: &Search) -> (Aim, SplitSpec) {
    let split = &search.dataset.split;
    let split = SplitSpec {
        train: split.train,
        validation: split.validation,
        test: split.test,
        seed: split.seed,
        test_rows: match split.test_rows {
            bitfront_search::search::TestRows::EachClass => TestRows::EachClass,
            bitfront_search::search::TestRows::ScikitLearn => TestRows::ScikitLearn,
        },
    };
    let aim = Aim {
        targets: search.dataset.targets.clone(),
        standardise: search.training.loss.is_of_values(),
    };
    (aim, split)
}

/// The weights that every trial of the search starts from, if it names a model. Quantized or not, a candidate has the
/// tensors of the search's float network.
async fn start(
    context: &Context,
    attempt: &Attempt,
    search: &Search,
) -> Result<Option<Weights>, Ended> {
    let Some(start) = &search.start else {
        return Ok(None);
    };
    let weights = tokio::select! {
        () = attempt.stopped() => return Err(Ended::Stopped),
        weights = context.cache.weights(&context.link, start, &search.network.float) => weights?,
    };
    Ok(Some(weights))
}

/// The CPU part of a trial.
fn train_and_score(
    teachers: &Teachers,
    attempt: &Attempt,
    search: &Search,
    candidate: &Candidate,
    start: Option<Weights>,
    data: &Prepared,
    work: &TrialWork,
) -> Produced {
    match attempt_scores(teachers, attempt, search, candidate, start, data, work) {
        Ok((result, artifacts)) => Produced {
            result: Ok(result),
            artifacts,
        },
        Err(ended) => Produced::ended(ended),
    }
}

fn attempt_scores(
    teachers: &Teachers,
    attempt: &Attempt,
    search: &Search,
    candidate: &Candidate,
    start_from: Option<Weights>,
    data: &Prepared,
    work: &TrialWork,
) -> Result<(String, Vec<Artifact>), Ended> {
    fits(candidate, data)?;
    attempt.log(&format!(
        "trial {} of search {}, seed {}, data set {}",
        work.number, work.search_id, work.seed, work.dataset_digest
    ));
    attempt.log(&format!(
        "engine version {ENGINE_VERSION}, bitfront {}, cpu level {}, rows: {} train, {} validation, {} test",
        env!("CARGO_PKG_VERSION"),
        bitfront_kernel::level(),
        data.train.rows,
        data.validation.rows,
        data.test.rows
    ));
    let scales = data.target_mean.iter().zip(&data.target_std);
    for (target, (mean, std)) in data.targets.iter().zip(scales) {
        attempt.log(&format!(
            "target {target}: an output of 1 is {std} above {mean}"
        ));
    }
    if let Some(start) = &search.start {
        attempt.log(&format!(
            "starting weights: model {}, {}",
            start.model, start.weights_digest
        ));
    }
    let start = Instant::now();
    let mut recipe = recipe(&search.training, data.train.rows);
    let logits = match teacher::teacher_of(search, candidate) {
        Some(teacher) => {
            let start = start_from.clone();
            Some(teacher::logits(
                teachers, attempt, search, &teacher, start, data,
            )?)
        }
        None => None,
    };
    let distillation = recipe.distillation;
    if *candidate == search.network.float {
        recipe.distillation = None;
    }
    let mut trainer = trainer(candidate, start_from, data, &recipe, work.seed)
        .map_err(|e| training_failure(&e))?;
    if let (Some(logits), Some(_)) = (&logits, recipe.distillation) {
        trainer = trainer
            .taught_by(logits)
            .map_err(|e| training_failure(&e))?;
    }
    // Values are neither right nor wrong.
    let is_of_classes = candidate.head != Head::Linear;
    let trained = trainer.run(
        &mut |report| {
            let accuracy = Some(report.validation_accuracy).filter(|_| is_of_classes);
            attempt.epoch(EpochMeasurement {
                epoch: report.epoch,
                train_loss: report.train_loss.into(),
                validation_loss: report.validation_loss.into(),
                validation_accuracy: accuracy.unwrap_or(f64::NAN),
                learning_rate: report.learning_rate.into(),
            });
            attempt.log(&format!(
                "epoch {:>3}: train loss {:.5}, validation loss {:.5}{}",
                report.epoch,
                report.train_loss,
                report.validation_loss,
                accuracy.map_or_else(String::new, |accuracy| format!(
                    ", validation accuracy {accuracy:.5}"
                ))
            ));
            Control::Continue
        },
        &|| attempt.is_stopped(),
    );
    // Its rows and probabilities are not needed for the scores.
    drop(trainer);
    let trained = match trained {
        Ok(trained) if trained.stopped || attempt.is_stopped() => return Err(Ended::Stopped),
        Ok(trained) => trained,
        Err(e) => return Err(training_failure(&e)),
    };
    attempt.log(&format!(
        "trained in {:.2} s",
        start.elapsed().as_secs_f64()
    ));
    let start = Instant::now();
    let scores = score(
        candidate,
        &trained.weights,
        data,
        &search.design_options(),
        &|| attempt.is_stopped(),
    )
    .map_err(|e| score::no_scores(&e))?;
    attempt.log(&format!(
        "scored in {:.2} s: {} (validation)",
        start.elapsed().as_secs_f64(),
        match (
            scores.accuracy_validation,
            scores.mean_squared_error_validation
        ) {
            (Some(accuracy), _) => format!("accuracy {accuracy:.5}"),
            (None, error) => format!("mean squared error {:.5}", error.unwrap_or(f64::NAN)),
        }
    ));
    if candidate.is_float() {
        attempt.log(
            "float reference: scored by the float network, no figures of classes and no costs",
        );
    }
    let mut artifacts = vec![Artifact {
        kind: "weights",
        bytes: trained.weights.to_bytes(candidate),
    }];
    let result = match &search.sampler {
        Sampler::LearnedBits(bits) => {
            let taught = logits.zip(distillation).map(|(logits, distillation)| {
                SoftTargets::new(distillation, &logits, candidate.outputs())
            });
            let start = learned::Start {
                weights: &trained.weights,
                teacher: taught.as_ref(),
                seed: work.seed,
            };
            let (points, weights) = learned::run(attempt, search, bits, start, data)?;
            artifacts.extend(weights);
            serde_json::to_string(&RunResult { scores, points })
        }
        Sampler::Random | Sampler::Evolution { .. } => serde_json::to_string(&scores),
    };
    let result = result.map_err(|e| Failure::internal(format!("write the scores: {e}")))?;
    Ok((result, artifacts))
}

/// A checked training run, from `start` where there is one.
fn trainer<'a>(
    candidate: &'a Candidate,
    start: Option<Weights>,
    data: &'a Prepared,
    recipe: &'a Recipe,
    seed: u64,
) -> Result<Trainer<'a>, TrainError> {
    let (train, validation) = (samples(&data.train), samples(&data.validation));
    let trainer = Trainer::new(candidate, &train, &validation, recipe, seed)?;
    match start {
        Some(start) => trainer.starting_from(start),
        None => Ok(trainer),
    }
}

/// Refuses a trial that needs more than `limit` bytes (0: no limit): its training or the rows of its scores, whichever is more, and
/// the data's splits, which slots share but a machine must hold. Another worker may have more, so it may be tried again.
fn has_room(
    limit: u64,
    search: &Search,
    candidate: &Candidate,
    data: &Prepared,
) -> Result<(), Failure> {
    // Training names the faults of a graph.
    if limit == 0 || candidate.check_shapes().is_err() {
        return Ok(());
    }
    let rows = [data.train.rows, data.validation.rows];
    let (mut taught, mut kept) = (0, 0);
    let mut training = training_bytes(candidate, &recipe(&search.training, data.train.rows), rows);
    if let Sampler::LearnedBits(bits) = &search.sampler {
        let learning = learning_bytes(&search.network.float, &learned::settings(bits), rows);
        training = training.max(learning);
        // Weights of every epoch.
        let weights = candidate.tensors().into_iter().map(|spec| spec.shape);
        let weights: usize = weights.map(|shape| shape.iter().product::<usize>()).sum();
        kept = bits.epochs as usize * weights * size_of::<f32>();
    }
    if let Some(teacher) = teacher::teacher_of(search, candidate) {
        let teaching = training_bytes(&teacher, &teacher::teacher_recipe(search, rows[0]), rows);
        let logits = rows[0] * candidate.outputs() * size_of::<f32>();
        // Kept ones, those that are being found, and what learned bit widths make of them.
        taught = (teacher::KEPT + 1 + 2) * logits;
        training = training.max(teaching);
    }
    let splits = [&data.train, &data.validation, &data.test];
    let splits: usize = splits
        .iter()
        .map(|table| size_of_val(&*table.x) + size_of_val(&*table.y) + size_of_val(&*table.values))
        .sum();
    let options = search.design_options();
    let is_float = candidate.is_float() && !matches!(search.sampler, Sampler::LearnedBits(_));
    let rows = [data.train.rows, data.validation.rows, data.test.rows];
    let options = (!is_float).then_some(&options);
    let scoring = kept + footprint::scoring_bytes(candidate, rows, options);
    let of_both = [training, scoring].map(|bytes| (bytes + taught + splits) as u64);
    if of_both.into_iter().all(|needed| needed <= limit) {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    Err(Failure::passing(
        "too-large",
        format!(
            "training needs {} MiB, its scores {} MiB ({} MiB of each the data), a slot of this worker has {} MiB: a smaller batch_size \
             where it is training, fewer rows to validate and test on where it is the scores, fewer slots, or a worker with a \
             higher --memory-limit help",
            mib(of_both[0]),
            mib(of_both[1]),
            mib(splits as u64),
            limit >> 20
        ),
    ))
}

/// Whether the candidate takes this data set's rows and predicts what they are labelled with.
fn fits(candidate: &Candidate, data: &Prepared) -> Result<(), Failure> {
    let (columns, classes, targets) = (data.train.columns, data.classes.len(), data.targets.len());
    let outputs = match (candidate.head, targets) {
        (Head::Sigmoid, 0) if classes == 2 => 1,
        (Head::Softmax { .. }, 0) => classes,
        (Head::Sigmoid | Head::Linear, 1..) => targets,
        _ => 0,
    };
    if (candidate.inputs(), candidate.outputs()) == (columns, outputs) {
        return Ok(());
    }
    Err(Failure::lasting(
        "dataset-invalid",
        format!(
            "the candidate has {} inputs and {} outputs, its head is {:?}; the data set has {columns} features, {classes} classes \
             and {targets} values a row",
            candidate.inputs(),
            candidate.outputs(),
            candidate.head
        ),
    ))
}

fn samples(table: &Table) -> Samples<'_> {
    Samples {
        x: &table.x,
        y: if table.values.is_empty() {
            Targets::Classes(&table.y)
        } else {
            Targets::Values(&table.values)
        },
        rows: table.rows,
        columns: table.columns,
    }
}

fn training_failure(error: &TrainError) -> Ended {
    let message = error.to_string();
    match error {
        TrainError::Cancelled { .. } => Ended::Stopped,
        TrainError::Diverged { .. } => Failure::lasting("diverged", message).into(),
        TrainError::Samples { .. } => Failure::lasting("dataset-invalid", message).into(),
        TrainError::Candidate { .. } => Failure::lasting("not-exact", message).into(),
        TrainError::Weights { .. } => Failure::lasting("model-invalid", message).into(),
        TrainError::Graph(_) | TrainError::Recipe(_) | TrainError::Teacher { .. } => {
            Failure::lasting("internal", message).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_fails_the_trial_for_good_with_its_step_and_layer() {
        let error = TrainError::Diverged {
            epoch: 2,
            step: 7,
            place: "fc1.kernel".to_owned(),
        };
        let Ended::Failed(failure) = training_failure(&error) else {
            panic!("stopped");
        };
        assert_eq!((failure.code, failure.retryable), ("diverged", false));
        assert!(
            failure.message.contains("epoch 2, step 7: fc1.kernel"),
            "{failure}"
        );
    }
}
