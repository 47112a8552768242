//! The training run: checks, epochs, reports, cancellation.

use std::sync::Arc;

use bitfront_kernel::{BatchLoss, Kernels};
use bitfront_network::{Candidate, Weights};
use serde::{Deserialize, Serialize};

use crate::check::{
    check_candidate, check_head, check_loss, check_pruning, check_samples, check_teacher,
    check_warmup, check_weights,
};
use crate::distillation::SoftTargets;
use crate::engine::{Engine, Rows};
use crate::error::TrainError;
use crate::extent::Mode;
use crate::initial::starting_weights;
use crate::inputs::Inputs;
use crate::random::{Purpose, shuffle, stream};
use crate::recipe::{Recipe, freezes_folds_at};
use crate::schedule::{Lowest, Reduction, Schedule};

/// Standardised rows with their targets.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// Features, `rows x columns`, row-major; images and sequences channels last.
    pub x: &'a [f32],
    /// What each row should give.
    pub y: Targets<'a>,
    /// Number of rows.
    pub rows: usize,
    /// Number of features.
    pub columns: usize,
}

/// What rows should give.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// A class a row. A softmax head has one output a class; a sigmoid head with several outputs too,
    /// and one with a single output says whether the class is 1.
    Classes(&'a [u8]),
    /// `rows x outputs`: values for a linear head, shares from 0 to 1 for a sigmoid head.
    Values(&'a [f32]),
}

impl<'a> From<&'a [u8]> for Targets<'a> {
    fn from(classes: &'a [u8]) -> Self {
        Self::Classes(classes)
    }
}

impl<'a> From<&'a Vec<u8>> for Targets<'a> {
    fn from(classes: &'a Vec<u8>) -> Self {
        Self::Classes(classes)
    }
}

/// What an epoch gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Epoch, from 1.
    pub epoch: u32,
    /// Mean loss over the train rows, each before the step it belongs to: that of [`Recipe::loss`],
    /// smoothed, weighted by class and with a teacher's part as the recipe says.
    pub train_loss: f32,
    /// Share of the train rows classified rightly, each before the step it belongs to; 0 for a linear
    /// head.
    pub train_accuracy: f64,
    /// Mean loss over the validation rows after the epoch.
    pub validation_loss: f32,
    /// Share of the validation rows classified rightly after the epoch, by the fake-quantized
    /// forward pass in f32, with running statistics in normalisations; 0 for a linear head. Scores
    /// come from the integer program.
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
    /// Float weights: the last epoch's, or with [`Recipe::best_epoch`] the best's; averages where
    /// [`Recipe::averaging`] says so.
    pub weights: Weights,
    /// One report an epoch; fewer than the recipe's epochs where [`Recipe::early_stopping`] ended it.
    pub curve: Vec<EpochReport>,
    /// Whether [`Control::Stop`] ended it before the recipe's last epoch.
    pub stopped: bool,
}

/// A checked training run.
pub struct Trainer<'a> {
    candidate: &'a Candidate,
    train: (Inputs, Samples<'a>),
    validation: (Inputs, Samples<'a>),
    recipe: &'a Recipe,
    seed: u64,
    kernels: Kernels,
    start: Option<Weights>,
    /// A weight a class, where they differ.
    class_weights: Option<Vec<f32>>,
    teacher: Option<Arc<SoftTargets>>,
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
    /// [`TrainError::Recipe`], [`TrainError::Graph`], [`TrainError::Candidate`] and
    /// [`TrainError::Samples`].
    pub fn new(
        candidate: &'a Candidate,
        train: &Samples<'a>,
        validation: &Samples<'a>,
        recipe: &'a Recipe,
        seed: u64,
    ) -> Result<Self, TrainError> {
        recipe.check().map_err(TrainError::Recipe)?;
        check_candidate(candidate, recipe.batch_size.min(train.rows))?;
        check_loss(recipe, candidate)?;
        check_samples("train", train, candidate)?;
        check_samples("validation", validation, candidate)?;
        check_head(recipe, train, candidate)?;
        let steps = steps(recipe, train.rows);
        check_warmup(recipe, steps)?;
        check_pruning(recipe, candidate, steps)?;
        let class_weights = match (&recipe.class_weights, train.y) {
            (Some(weights), Targets::Classes(classes)) => {
                Some(weights.resolve(classes, classes_of(candidate)))
            }
            _ => None,
        };
        Ok(Self {
            candidate,
            train: (Inputs::of(candidate, train.x), *train),
            validation: (Inputs::of(candidate, validation.x), *validation),
            recipe,
            seed,
            kernels: Kernels::detect(),
            start: None,
            class_weights,
            teacher: None,
        })
    }

    /// Runs on given kernels; the weights are the same bits on all of them.
    #[must_use]
    pub fn on(mut self, kernels: Kernels) -> Self {
        self.kernels = kernels;
        self
    }

    /// Starts from these weights, not from random ones.
    ///
    /// # Errors
    /// [`TrainError::Weights`] for weights that are missing, of another shape, not finite, or variances
    /// below zero.
    pub fn starting_from(mut self, weights: Weights) -> Result<Self, TrainError> {
        check_weights(self.candidate, &weights)?;
        self.start = Some(weights);
        Ok(self)
    }

    /// Learns beside the labels from a teacher's logits, `train rows x outputs`, row-major, as
    /// [`Recipe::distillation`] says.
    ///
    /// # Errors
    /// [`TrainError::Teacher`] for a recipe without distillation, and for logits of another number or
    /// that are not finite.
    pub fn taught_by(mut self, logits: &[f32]) -> Result<Self, TrainError> {
        let outputs = self.candidate.outputs();
        let distillation = check_teacher(self.recipe, logits, self.train.1.rows, outputs)?;
        self.teacher = Some(Arc::new(SoftTargets::new(distillation, logits, outputs)));
        Ok(self)
    }

    /// Trains to the recipe's end, or until `on_epoch` stops it.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] and [`TrainError::Cancelled`]; [`TrainError::Teacher`] where the recipe
    /// has distillation and nobody teaches.
    pub fn run(
        &self,
        on_epoch: &mut dyn FnMut(&EpochReport) -> Control,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Trained, TrainError> {
        let (train, validation) = (rows(&self.train), rows(&self.validation));
        let (train_rows, train_count) = (train.count, train.count as f64);
        let validation_count = validation.count as f64;
        let batch = self.recipe.batch_size.min(train_rows);
        let drawn;
        let start = if let Some(start) = &self.start {
            start
        } else {
            drawn = starting_weights(self.candidate, self.seed);
            &drawn
        };
        let mut engine =
            Engine::new(self.kernels, self.candidate, start, self.seed, batch).by(self.recipe);
        if let Some(weights) = &self.class_weights {
            engine = engine.weighing(weights);
        }
        if let Some(averaging) = self.recipe.averaging {
            engine = engine.averaging(averaging);
        }
        match &self.teacher {
            Some(teacher) => engine = engine.taught_by(teacher),
            None if self.recipe.distillation.is_some() => {
                return Err(TrainError::Teacher {
                    problem: "the recipe has distillation and there are no logits".to_owned(),
                    accepted: "a teacher's logits of all train rows".to_owned(),
                });
            }
            None => {}
        }
        if let Some(pruning) = self.recipe.pruning {
            engine = engine.pruning(pruning);
        }
        let mut order = vec![0_u32; train_rows];
        let steps = steps(self.recipe, train_rows);
        let epoch_steps = steps / u64::from(self.recipe.epochs);
        let mut curve = Vec::new();
        let mut stopped = false;
        let mut reduction = match self.recipe.schedule {
            Schedule::Plateau(plateau) => Some(Reduction::new(plateau, self.recipe.learning_rate)),
            _ => None,
        };
        let mut patience = Lowest::new();
        let (mut lowest, mut best) = (Lowest::new(), None);
        for epoch in 1..=self.recipe.epochs {
            let index = u64::from(epoch - 1);
            shuffle(&mut stream(self.seed, Purpose::Order, index), &mut order);
            let mut total = BatchLoss::default();
            let mut learning_rate = 0.0;
            for (step, batch) in (1_u32..).zip(order.chunks(self.recipe.batch_size)) {
                if cancelled() {
                    return Err(TrainError::Cancelled { epoch, step });
                }
                let done = index * epoch_steps + u64::from(step - 1);
                learning_rate = match &reduction {
                    Some(reduction) => reduction.rate,
                    None => self.recipe.rate_at(done, steps),
                };
                let mode = if freezes_folds_at(done, steps) {
                    Mode::TrainFrozen
                } else {
                    Mode::Train
                };
                engine.prune(done);
                engine.quantize(mode);
                let loss = engine.gradients(train, batch, mode);
                total.loss += loss.loss;
                total.correct += loss.correct;
                let updated = if total.loss.is_finite() {
                    engine.update(learning_rate)
                } else {
                    Err(engine.first_not_finite())
                };
                updated.map_err(|place| TrainError::Diverged { epoch, step, place })?;
                engine.take_average(epoch, u64::from(step) == epoch_steps);
            }
            let checked = engine.with_average(|engine| {
                engine.quantize(Mode::Evaluate);
                engine.evaluate(validation)
            });
            if !checked.loss.is_finite() {
                let place = format!("{} on the validation rows", engine.first_not_finite());
                let step = epoch_steps as u32;
                return Err(TrainError::Diverged { epoch, step, place });
            }
            let report = EpochReport {
                epoch,
                train_loss: (total.loss / train_count) as f32,
                train_accuracy: total.correct as f64 / train_count,
                validation_loss: (checked.loss / validation_count) as f32,
                validation_accuracy: checked.correct as f64 / validation_count,
                learning_rate,
            };
            let validation_loss = report.validation_loss;
            let control = on_epoch(&report);
            curve.push(report);
            let settled = self.recipe.settles_in(epoch, epoch_steps);
            if self.recipe.best_epoch && settled && lowest.lowers(validation_loss, 0.0) {
                best = Some(engine.with_average(|engine| engine.weights()));
            }
            if control == Control::Stop && epoch < self.recipe.epochs {
                stopped = true;
                break;
            }
            if let Some(reduction) = &mut reduction {
                reduction.after(validation_loss);
            }
            if let Some(stopping) = self.recipe.early_stopping
                && settled
            {
                let lower = patience.lowers(validation_loss, stopping.min_delta);
                if !lower && patience.waited >= stopping.patience {
                    break;
                }
            }
        }
        Ok(Trained {
            weights: best.unwrap_or_else(|| engine.with_average(|engine| engine.weights())),
            curve,
            stopped,
        })
    }
}

/// Steps of a whole run.
fn steps(recipe: &Recipe, train_rows: usize) -> u64 {
    train_rows.div_ceil(recipe.batch_size) as u64 * u64::from(recipe.epochs)
}

/// Classes that labels tell apart: one an output, or two of a single one.
pub(crate) fn classes_of(candidate: &Candidate) -> usize {
    candidate.outputs().max(2)
}

/// Quantized rows with their targets.
fn rows<'a>((x, samples): &'a (Inputs, Samples<'_>)) -> Rows<'a> {
    Rows {
        x: x.stored(),
        y: samples.y,
        count: samples.rows,
    }
}
