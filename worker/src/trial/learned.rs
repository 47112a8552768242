//! A run that learns bit widths: from the trained float network to candidates, each scored as a trial is.

use bitfront_dataset::Prepared;
use bitfront_learned_bits::{self as engine, EpochPoint, LearnError, Point, Settings, Task, learn};
use bitfront_network::{Candidate, Weights};
use bitfront_proto::v1::EpochMeasurement;
use bitfront_search::Search;
use bitfront_search::learned::{Granularity, LearnedBits, PointOutcome, RunPoint};
use bitfront_training::{Control, SoftTargets};

use super::{samples, score};
use crate::attempt::Attempt;
use crate::error::{Ended, Failure};
use crate::link::{Artifact, digest_of};

/// What a run goes on from.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    /// Of the search's float network.
    pub(super) weights: &'a Weights,
    pub(super) teacher: Option<&'a SoftTargets>,
    pub(super) seed: u64,
}

/// Learns bit widths from a trained float network: the points, by epoch, and their weights.
pub(super) fn run(
    attempt: &Attempt,
    search: &Search,
    bits: &LearnedBits,
    start: Start<'_>,
    data: &Prepared,
) -> Result<(Vec<RunPoint>, Vec<Artifact>), Ended> {
    let candidate = learnable(search)?;
    let task = Task {
        candidate: &candidate,
        start: start.weights,
        train: samples(&data.train),
        validation: samples(&data.validation),
        teacher: start.teacher,
    };
    let before = search.training.epochs;
    let mut on_epoch = |epoch: &EpochPoint| {
        attempt.epoch(EpochMeasurement {
            epoch: before + epoch.epoch,
            train_loss: epoch.train_loss,
            // Points are compared by accuracy and EBOPs: there is no loss of the validation rows.
            validation_loss: f64::NAN,
            validation_accuracy: epoch.validation_accuracy,
            learning_rate: f64::NAN,
        });
        attempt.log(&format!(
            "learned epoch {:>3}: beta {:.3e}, train loss {:.5}, validation accuracy {:.5}, EBOPs {:.0}{}",
            epoch.epoch,
            epoch.beta,
            epoch.train_loss,
            epoch.validation_accuracy,
            epoch.ebops,
            if epoch.kept { ", kept" } else { "" }
        ));
        Control::Continue
    };
    let stopped = || attempt.is_stopped();
    let mut points = learn(&task, &settings(bits), start.seed, &mut on_epoch, &stopped)
        .map_err(|error| failure(&error))?;
    points.sort_by_key(|point| point.epoch.epoch);
    attempt.log(&format!(
        "{} of {} epochs are on the run's front",
        points.len(),
        bits.epochs
    ));
    let mut kept = Vec::with_capacity(points.len());
    let mut weights = Vec::with_capacity(points.len());
    for point in points {
        if attempt.is_stopped() {
            return Err(Ended::Stopped);
        }
        let (outcome, artifact) = scored(attempt, search, &point, data)?;
        weights.extend(artifact);
        kept.push(RunPoint {
            epoch: point.epoch.epoch,
            beta: point.epoch.beta,
            candidate: point.candidate,
            outcome,
        });
    }
    Ok((kept, weights))
}

/// The float network behind the grid that the channels of its input are taken from: a search that learns bit widths
/// has this one point.
pub(super) fn learnable(search: &Search) -> Result<Candidate, Failure> {
    search
        .candidate(&search.space.point(0))
        .map_err(|error| Failure::lasting("internal", format!("the search's space: {error}")))
}

/// A point scored as every trial is, and its weights. A point without a circuit fails alone; a circuit of another
/// function fails the run, for it is a defect.
fn scored(
    attempt: &Attempt,
    search: &Search,
    point: &Point,
    data: &Prepared,
) -> Result<(PointOutcome, Option<Artifact>), Ended> {
    let epoch = point.epoch.epoch;
    match score(
        &point.candidate,
        &point.weights,
        data,
        &search.design_options(),
        &|| attempt.is_stopped(),
    ) {
        Ok(scores) => {
            let artifact = Artifact {
                kind: "point-weights",
                bytes: point.weights.to_bytes(&point.candidate),
            };
            let outcome = PointOutcome::Scored {
                scores: Box::new(scores),
                weights_digest: digest_of(&artifact.bytes),
            };
            Ok((outcome, Some(artifact)))
        }
        Err(error) => {
            let failure = match score::no_scores(&error) {
                Ended::Failed(failure) => failure,
                Ended::Stopped => return Err(Ended::Stopped),
            };
            attempt.log(&format!("epoch {epoch} has no scores: {failure}"));
            if matches!(error, score::ScoreError::Circuit(_)) {
                let message = format!("epoch {epoch}: {}", failure.message);
                return Err(Failure { message, ..failure }.into());
            }
            let outcome = PointOutcome::Failed {
                code: failure.code.to_owned(),
                message: failure.message,
            };
            Ok((outcome, None))
        }
    }
}

/// The search's settings in the engine's words.
pub(super) fn settings(bits: &LearnedBits) -> Settings {
    Settings {
        epochs: bits.epochs,
        batch_size: bits.batch_size as usize,
        learning_rate: bits.learning_rate as f32,
        final_rate: bits.final_rate as f32,
        bits_rate: bits.bits_rate as f32,
        first_beta: bits.first_beta,
        last_beta: bits.last_beta,
        flat: bits.flat,
        fraction_bits: bits.fraction_bits as f32,
        averaging: bits.averaging as f32,
        granularity: match bits.granularity {
            Granularity::Weight => engine::Granularity::Weight,
            Granularity::Channel => engine::Granularity::Channel,
            Granularity::Layer => engine::Granularity::Layer,
        },
    }
}

fn failure(error: &LearnError) -> Ended {
    let message = error.to_string();
    match error {
        LearnError::Cancelled => Ended::Stopped,
        LearnError::Diverged { .. } => Failure::lasting("diverged", message).into(),
        LearnError::Samples(_) => Failure::lasting("dataset-invalid", message).into(),
        LearnError::Freeze(_) => Failure::lasting("not-exact", message).into(),
        LearnError::Settings(_) | LearnError::Network(_) => {
            Failure::lasting("internal", message).into()
        }
    }
}
