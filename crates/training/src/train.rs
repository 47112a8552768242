//! The training run: checks, epochs, reports, cancellation.

use bitfront_kernel::{BatchLoss, Buffer, Kernels};
use bitfront_network::{Candidate, Weights};
use bitfront_quantizer::{Alpha, Quantizer};
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Rows};
use crate::error::TrainError;
use crate::random::{Purpose, shuffle, stream};
use crate::recipe::Recipe;

/// Standardised rows with their labels.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// Features, `rows x columns`, row-major.
    pub x: &'a [f32],
    /// Class of each row.
    pub y: &'a [u8],
    /// Number of rows.
    pub rows: usize,
    /// Number of features.
    pub columns: usize,
}

/// What an epoch gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Epoch, from 1.
    pub epoch: u32,
    /// Mean cross-entropy over the train rows in nats, each before the step it belongs to.
    pub train_loss: f32,
    /// Share of the train rows classified rightly, each before the step it belongs to.
    pub train_accuracy: f64,
    /// Mean cross-entropy over the validation rows after the epoch.
    pub validation_loss: f32,
    /// Share of the validation rows classified rightly after the epoch, by the fake-quantized
    /// forward pass in f32. Scores come from the integer program.
    pub validation_accuracy: f64,
    /// Learning rate of the epoch's last step.
    pub learning_rate: f32,
}

/// Whether to go on after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Train the next epoch.
    Continue,
    /// End here and keep the weights.
    Stop,
}

/// A trained network.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Float weights.
    pub weights: Weights,
    /// One report an epoch.
    pub curve: Vec<EpochReport>,
    /// Whether [`Control::Stop`] ended it before the recipe's last epoch.
    pub stopped: bool,
}

/// A checked training run.
pub struct Trainer<'a> {
    candidate: &'a Candidate,
    train: (Buffer, &'a [u8]),
    validation: (Buffer, &'a [u8]),
    recipe: &'a Recipe,
    seed: u64,
    kernels: Kernels,
}

/// Trains a candidate: [`Trainer::new`] and [`Trainer::run`] at the CPU's best level.
///
/// `cancelled` is asked between steps.
///
/// # Errors
/// [`TrainError`]: a recipe or samples out of range, a value that is not finite, or cancelled.
pub fn train(
    candidate: &Candidate,
    train: &Samples<'_>,
    validation: &Samples<'_>,
    recipe: &Recipe,
    seed: u64,
    on_epoch: &mut dyn FnMut(&EpochReport) -> Control,
    cancelled: &dyn Fn() -> bool,
) -> Result<Trained, TrainError> {
    Trainer::new(candidate, train, validation, recipe, seed)?.run(on_epoch, cancelled)
}

impl<'a> Trainer<'a> {
    /// Checks everything and fake-quantizes the inputs.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], [`TrainError::Candidate`] and [`TrainError::Samples`].
    pub fn new(
        candidate: &'a Candidate,
        train: &Samples<'a>,
        validation: &Samples<'a>,
        recipe: &'a Recipe,
        seed: u64,
    ) -> Result<Self, TrainError> {
        recipe.check().map_err(TrainError::Recipe)?;
        check_candidate(candidate)?;
        check_samples("train", train, candidate)?;
        check_samples("validation", validation, candidate)?;
        Ok(Self {
            candidate,
            train: (quantized_inputs(candidate, train), train.y),
            validation: (quantized_inputs(candidate, validation), validation.y),
            recipe,
            seed,
            kernels: Kernels::detect(),
        })
    }

    /// Runs on given kernels; the weights are the same bits on all of them.
    #[must_use]
    pub fn on(mut self, kernels: Kernels) -> Self {
        self.kernels = kernels;
        self
    }

    /// Trains to the recipe's end, or until `on_epoch` stops it.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] and [`TrainError::Cancelled`].
    pub fn run(
        &self,
        on_epoch: &mut dyn FnMut(&EpochReport) -> Control,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Trained, TrainError> {
        let train_rows = self.train.1.len();
        let (train_count, validation_count) = (train_rows as f64, self.validation.1.len() as f64);
        let train = Rows {
            x: &self.train.0,
            y: self.train.1,
        };
        let validation = Rows {
            x: &self.validation.0,
            y: self.validation.1,
        };
        let mut engine = Engine::new(self.kernels, self.candidate, self.seed);
        let mut order = vec![0_u32; train_rows];
        let epoch_steps = train_rows.div_ceil(self.recipe.batch_size) as u64;
        let steps = epoch_steps * u64::from(self.recipe.epochs);
        let mut curve = Vec::new();
        let mut stopped = false;
        for epoch in 1..=self.recipe.epochs {
            let index = u64::from(epoch - 1);
            shuffle(&mut stream(self.seed, Purpose::Order, index), &mut order);
            let mut total = BatchLoss::default();
            let mut learning_rate = 0.0;
            for (step, batch) in (1_u32..).zip(order.chunks(self.recipe.batch_size)) {
                if cancelled() {
                    return Err(TrainError::Cancelled { epoch, step });
                }
                learning_rate = self
                    .recipe
                    .rate_at(index * epoch_steps + u64::from(step - 1), steps);
                engine.quantize();
                let loss = engine.gradients(&train, batch);
                total.loss += loss.loss;
                total.correct += loss.correct;
                let updated = if total.loss.is_finite() {
                    engine.update(learning_rate)
                } else {
                    Err(engine.first_not_finite())
                };
                updated.map_err(|place| TrainError::Diverged { epoch, step, place })?;
            }
            engine.quantize();
            let checked = engine.evaluate(&validation);
            let report = EpochReport {
                epoch,
                train_loss: (total.loss / train_count) as f32,
                train_accuracy: total.correct as f64 / train_count,
                validation_loss: (checked.loss / validation_count) as f32,
                validation_accuracy: checked.correct as f64 / validation_count,
                learning_rate,
            };
            let control = on_epoch(&report);
            curve.push(report);
            if control == Control::Stop && epoch < self.recipe.epochs {
                stopped = true;
                break;
            }
        }
        Ok(Trained {
            weights: engine.weights(),
            curve,
            stopped,
        })
    }
}

/// Input rows on the input quantizer's grid, padded.
fn quantized_inputs(candidate: &Candidate, samples: &Samples<'_>) -> Buffer {
    let mut quantized = vec![0.0; samples.x.len()];
    let quantizer = &candidate.input_quantizer;
    quantizer.quantize(samples.x, samples.columns, &mut quantized);
    Buffer::padded(&quantized, samples.columns)
}

/// An automatic scale of values that change with every batch would not be the one at inference.
fn has_automatic_scale(quantizer: &Quantizer) -> bool {
    let alpha = quantizer.alpha();
    matches!(alpha, Alpha::Auto | Alpha::AutoPo2)
}

fn check_candidate(candidate: &Candidate) -> Result<(), TrainError> {
    let fault = |place: String, problem: String, accepted: &str| {
        Err(TrainError::Candidate {
            place,
            problem,
            accepted: accepted.to_owned(),
        })
    };
    let narrow = candidate.layers.iter().find(|layer| layer.units == 0);
    if candidate.inputs == 0 || candidate.layers.is_empty() || narrow.is_some() {
        let place = narrow.map_or("network", |layer| &layer.name).to_owned();
        let accepted = "at least one input, one layer and one unit a layer";
        return fault(place, "nothing to train".to_owned(), accepted);
    }
    if !(2..=256).contains(&candidate.outputs()) {
        let problem = format!("{} outputs", candidate.outputs());
        return fault(
            "network".to_owned(),
            problem,
            "2 to 256 outputs, one a class",
        );
    }
    let activations = candidate
        .layers
        .iter()
        .filter_map(|layer| layer.activation.as_ref());
    let stored = activations.map(|a| (a.name.as_str(), &a.quantizer));
    for (place, quantizer) in std::iter::once(("input", &candidate.input_quantizer)).chain(stored) {
        if has_automatic_scale(quantizer) {
            let problem = format!("{quantizer} has an automatic scale");
            return fault(
                place.to_owned(),
                problem,
                "a fixed alpha on inputs and activations",
            );
        }
    }
    Ok(())
}

fn check_samples(
    part: &str,
    samples: &Samples<'_>,
    candidate: &Candidate,
) -> Result<(), TrainError> {
    let fault = |field: &str, problem: String, accepted: String| {
        Err(TrainError::Samples {
            place: format!("{part}.{field}"),
            problem,
            accepted,
        })
    };
    if samples.rows == 0 || samples.rows > u32::MAX as usize {
        let accepted = "1 to 4294967295 rows".to_owned();
        return fault("rows", format!("{} rows", samples.rows), accepted);
    }
    if samples.columns != candidate.inputs {
        let accepted = format!("{}, the candidate's inputs", candidate.inputs);
        return fault("columns", format!("{} columns", samples.columns), accepted);
    }
    let values = samples.rows.checked_mul(samples.columns);
    if values != Some(samples.x.len()) {
        let accepted = format!("{} x {}", samples.rows, samples.columns);
        return fault("x", format!("{} values", samples.x.len()), accepted);
    }
    if samples.y.len() != samples.rows {
        let accepted = format!("{}, one a row", samples.rows);
        return fault("y", format!("{} labels", samples.y.len()), accepted);
    }
    if let Some(at) = samples.x.iter().position(|value| !value.is_finite()) {
        let (row, column) = (at / samples.columns, at % samples.columns);
        let problem = format!("row {row}, column {column} is {}", samples.x[at]);
        return fault("x", problem, "finite numbers".to_owned());
    }
    let outputs = candidate.outputs();
    if let Some(row) = samples
        .y
        .iter()
        .position(|label| usize::from(*label) >= outputs)
    {
        let accepted = format!("0 to {}, one an output of the candidate", outputs - 1);
        return fault(
            "y",
            format!("row {row} has label {}", samples.y[row]),
            accepted,
        );
    }
    Ok(())
}
