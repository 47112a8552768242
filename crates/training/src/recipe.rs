//! How long and how fast to train.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::averaging::Averaging;
use crate::class_weights::ClassWeights;
use crate::distillation::Distillation;
use crate::loss::LossFunction;
use crate::optimizer::Optimizer;
use crate::pruning::Pruning;
use crate::schedule::Schedule;

/// Part of a run, its end, in which normalisations that are folded into weights use running statistics.
const FROZEN_PART: u64 = 4;

/// A training recipe: an optimiser on the head's loss.
///
/// A step takes the mean gradient of its rows, adds what [`Recipe::l1`] and [`Recipe::l2`] give, clips it
/// ([`Recipe::clip_norm`]) and hands it to the optimiser. Reported losses are the head's alone; train
/// losses with class weights and the teacher's part, validation losses without.
///
/// Batch normalisations that are folded into weights take their batch's statistics in the first three
/// quarters of the steps and their running ones in the last, so that the weights settle for what the
/// circuit will compute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Passes over the train rows, 1 to 100,000.
    pub epochs: u32,
    /// Rows an optimiser step, 1 to 1,048,576; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// The learning rate that the schedule starts from, above 0 and at most 1.
    pub learning_rate: f32,
    /// How the learning rate goes on from there.
    pub schedule: Schedule,
    /// How a step goes from gradients to weights.
    #[serde(skip_serializing_if = "is_default")]
    pub optimizer: Optimizer,
    /// Largest length of the gradient of all trained tensors together; a longer one is multiplied by
    /// `clip_norm / length`. Above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f32>,
    /// Adds `l1 sign(w)` to the gradients by kernels; 0 to 1.
    #[serde(skip_serializing_if = "is_default")]
    pub l1: f32,
    /// Adds `2 l2 w` to the gradients by kernels, those of the penalty `l2 w²`; 0 to 1.
    #[serde(skip_serializing_if = "is_default")]
    pub l2: f32,
    /// What is minimised; the head's own loss unless given, and only one that the head has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossFunction>,
    /// When to end before the last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Whether the weights of the epoch with the lowest validation loss (the first of equals) are
    /// returned, not the last.
    #[serde(skip_serializing_if = "is_default")]
    pub best_epoch: bool,
    /// Share of a softmax head's targets that training spreads evenly over all classes, at least 0 and
    /// below 1; other heads do not smooth. Train losses are the smoothed ones, validation losses not.
    #[serde(skip_serializing_if = "is_default")]
    pub label_smoothing: f32,
    /// How much the rows of each class count in training; alike if `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// How to learn from a teacher, whose logits [`Trainer::taught_by`](crate::Trainer::taught_by)
    /// takes; of softmax heads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distillation: Option<Distillation>,
    /// How weights are averaged along the run; the average is what is evaluated after each epoch and
    /// returned. The weights themselves if `None`. [`Recipe::best_epoch`] and [`Recipe::early_stopping`]
    /// look at no epoch before the first that is averaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub averaging: Option<Averaging>,
    /// How kernels are pruned; not at all if `None`. [`Recipe::best_epoch`] and
    /// [`Recipe::early_stopping`] look at no epoch before the one that ends pruning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruning: Option<Pruning>,
}

/// Ends a run whose validation loss no longer falls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a lower validation loss after which the run ends, at least 1.
    pub patience: u32,
    /// How much lower counts as lower, at least 0.
    #[serde(default)]
    pub min_delta: f32,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Whether folded normalisations use running statistics in step `step` (from 0) of `steps`: in the last
/// quarter, and never in the first step.
pub(crate) fn freezes_folds_at(step: u64, steps: u64) -> bool {
    step > 0 && step >= steps - steps / FROZEN_PART
}

/// A field of a recipe that is out of range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{pointer} is {value}; accepted: {accepted}")]
pub struct RecipeFault {
    /// JSON pointer within the recipe, `/learning_rate`.
    pub pointer: &'static str,
    /// The value.
    pub value: String,
    /// What would be right.
    pub accepted: Cow<'static, str>,
}

impl Default for Recipe {
    /// Ten epochs of batches of 1024, as the paper trains, at 0.01, cosine. Networks as small as
    /// 16-16-16-5 gain from batches of 256: `examples/jets.yaml` says so itself.
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 1024,
            learning_rate: 0.01,
            schedule: Schedule::Cosine,
            optimizer: Optimizer::Adam,
            clip_norm: None,
            l1: 0.0,
            l2: 0.0,
            loss: None,
            early_stopping: None,
            best_epoch: false,
            label_smoothing: 0.0,
            class_weights: None,
            distillation: None,
            averaging: None,
            pruning: None,
        }
    }
}

impl Recipe {
    /// Checks all fields.
    ///
    /// # Errors
    /// Every fault, in field order.
    pub fn check(&self) -> Result<(), Vec<RecipeFault>> {
        let mut faults = Vec::new();
        let mut expect = |right: bool, pointer, value: &dyn ToString, accepted: &'static str| {
            if !right {
                let value = value.to_string();
                faults.push(RecipeFault {
                    pointer,
                    value,
                    accepted: Cow::Borrowed(accepted),
                });
            }
        };
        let epochs = (1..=100_000).contains(&self.epochs);
        expect(epochs, "/epochs", &self.epochs, "1 to 100000");
        let batch = (1..=1 << 20).contains(&self.batch_size);
        expect(batch, "/batch_size", &self.batch_size, "1 to 1048576");
        let rate = self.learning_rate > 0.0 && self.learning_rate <= 1.0;
        expect(
            rate,
            "/learning_rate",
            &self.learning_rate,
            "above 0 and at most 1",
        );
        let unit = |value: f32| (0.0..=1.0).contains(&value);
        let share = |value: f32| value > 0.0 && value <= 1.0;
        let not_below_0 = |value: f32| value >= 0.0 && value.is_finite();
        match self.schedule {
            Schedule::Constant | Schedule::Cosine => {}
            Schedule::Step { every, factor } => {
                expect(every > 0, "/schedule/step/every", &every, "at least 1");
                let at = "/schedule/step/factor";
                expect(share(factor), at, &factor, "above 0 and at most 1");
            }
            Schedule::WarmCosine { floor, .. } => {
                expect(unit(floor), "/schedule/warm_cosine/floor", &floor, "0 to 1");
            }
            Schedule::Plateau(plateau) => {
                let (factor, patience) = (plateau.factor, plateau.patience);
                let right = factor > 0.0 && factor < 1.0;
                let at = "/schedule/plateau/factor";
                expect(right, at, &factor, "above 0 and below 1");
                let at = "/schedule/plateau/patience";
                expect(patience > 0, at, &patience, "at least 1");
                let delta = plateau.min_delta;
                let at = "/schedule/plateau/min_delta";
                expect(not_below_0(delta), at, &delta, "at least 0");
                let least = plateau.min_rate;
                let at = "/schedule/plateau/min_rate";
                expect(not_below_0(least), at, &least, "at least 0");
            }
        }
        match self.optimizer {
            Optimizer::Adam => {}
            Optimizer::AdamW { weight_decay } => {
                let at = "/optimizer/adamw/weight_decay";
                expect(unit(weight_decay), at, &weight_decay, "0 to 1");
            }
            Optimizer::Sgd { momentum, .. } => {
                let right = (0.0..1.0).contains(&momentum);
                let at = "/optimizer/sgd/momentum";
                expect(right, at, &momentum, "at least 0 and below 1");
            }
        }
        if let Some(norm) = self.clip_norm {
            let right = norm > 0.0 && norm.is_finite();
            expect(right, "/clip_norm", &norm, "above 0");
        }
        expect(unit(self.l1), "/l1", &self.l1, "0 to 1");
        expect(unit(self.l2), "/l2", &self.l2, "0 to 1");
        if let Some(stopping) = self.early_stopping {
            let patience = stopping.patience;
            let at = "/early_stopping/patience";
            expect(patience > 0, at, &patience, "at least 1");
            let delta = stopping.min_delta;
            let at = "/early_stopping/min_delta";
            expect(not_below_0(delta), at, &delta, "at least 0");
        }
        let smoothing = self.label_smoothing;
        let right = (0.0..1.0).contains(&smoothing);
        let accepted = "at least 0 and below 1";
        expect(right, "/label_smoothing", &smoothing, accepted);
        if let Some(weights) = &self.class_weights
            && let Some((class, weight)) = weights.fault()
        {
            let value = format!("{weight} for class {class}");
            let accepted = "above 0 and at most 1000000";
            expect(false, "/class_weights", &value, accepted);
        }
        if let Some(distillation) = self.distillation {
            let temperature = distillation.temperature;
            let right = (0.1..=100.0).contains(&temperature);
            let at = "/distillation/temperature";
            expect(right, at, &temperature, "0.1 to 100");
            let weight = distillation.weight;
            expect(unit(weight), "/distillation/weight", &weight, "0 to 1");
        }
        match self.averaging {
            Some(Averaging::Ema { decay }) => {
                let right = (0.0..1.0).contains(&decay);
                let accepted = "at least 0 and below 1";
                expect(right, "/averaging/ema/decay", &decay, accepted);
            }
            Some(Averaging::Swa { start_epoch }) => {
                let right = (1..=self.epochs).contains(&start_epoch);
                let accepted = "1 to the number of epochs";
                expect(right, "/averaging/swa/start_epoch", &start_epoch, accepted);
            }
            None => {}
        }
        if let Some(pruning) = self.pruning {
            for (pointer, value, accepted) in pruning.schedule.faults() {
                expect(false, pointer, &value, accepted);
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// Whether the weights after `epoch` of `epoch_steps` steps are of the kind that the run returns:
    /// pruned to the end, and averaged where they will be.
    pub(crate) fn settles_in(&self, epoch: u32, epoch_steps: u64) -> bool {
        let pruned = self.pruning.is_none_or(|pruning| {
            let (_, last) = pruning.schedule.last_step();
            last < u64::from(epoch) * epoch_steps
        });
        let averaged = match self.averaging {
            Some(Averaging::Swa { start_epoch }) => epoch >= start_epoch,
            Some(Averaging::Ema { .. }) | None => true,
        };
        pruned && averaged
    }

    /// Learning rate of step `step` (from 0) of `steps`; of a plateau schedule, which goes by validation
    /// losses, the first.
    pub fn rate_at(&self, step: u64, steps: u64) -> f32 {
        self.schedule
            .rate_at(self.learning_rate, step, steps, self.epochs.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_fill_in_and_unknown_fields_are_refused() {
        let recipe: Recipe =
            serde_json::from_str(r#"{"epochs": 3, "schedule": "constant"}"#).unwrap();
        assert_eq!((recipe.epochs, recipe.schedule), (3, Schedule::Constant));
        assert_eq!(recipe.batch_size, Recipe::default().batch_size);
        let error = serde_json::from_str::<Recipe>(r#"{"epoch": 3}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown field `epoch`"), "{error}");
    }

    #[test]
    fn faults_come_all_at_once() {
        let recipe = Recipe {
            epochs: 0,
            batch_size: 0,
            learning_rate: f32::NAN,
            ..Recipe::default()
        };
        let faults = recipe.check().unwrap_err();
        let pointers: Vec<_> = faults.iter().map(|f| f.pointer).collect();
        assert_eq!(pointers, ["/epochs", "/batch_size", "/learning_rate"]);
        assert_eq!(faults[0].to_string(), "/epochs is 0; accepted: 1 to 100000");
        assert_eq!(Recipe::default().check(), Ok(()));
    }

    #[test]
    fn cosine_goes_from_the_rate_to_zero() {
        let recipe = Recipe {
            learning_rate: 0.5,
            ..Recipe::default()
        };
        assert_eq!(recipe.rate_at(0, 100), 0.5);
        assert_eq!(recipe.rate_at(50, 100), 0.25);
        assert!(recipe.rate_at(99, 100) < 2e-4);
        let constant = Recipe {
            schedule: Schedule::Constant,
            ..recipe
        };
        assert_eq!(constant.rate_at(99, 100), 0.5);
    }

    #[test]
    fn every_field_in_range_is_checked_by_name() {
        let recipe: Recipe = serde_json::from_str(
            r#"{"optimizer": {"sgd": {"momentum": 1.0}}, "clip_norm": 0, "l1": -1, "l2": 2,
                "schedule": {"plateau": {"factor": 1, "patience": 0, "min_delta": -1, "min_rate": -1}},
                "early_stopping": {"patience": 0, "min_delta": -1}, "label_smoothing": 1,
                "class_weights": [1, 0], "distillation": {"temperature": 0, "weight": 2},
                "averaging": {"ema": {"decay": 1}},
                "pruning": {"schedule": {"polynomial": {"initial_sparsity": -1, "final_sparsity": 1,
                    "begin_step": 2, "end_step": 1, "power": 0, "frequency": 0}}}}"#,
        )
        .unwrap();
        let faults = recipe.check().unwrap_err();
        let pointers: Vec<_> = faults.iter().map(|f| f.pointer).collect();
        let expected = [
            "/schedule/plateau/factor",
            "/schedule/plateau/patience",
            "/schedule/plateau/min_delta",
            "/schedule/plateau/min_rate",
            "/optimizer/sgd/momentum",
            "/clip_norm",
            "/l1",
            "/l2",
            "/early_stopping/patience",
            "/early_stopping/min_delta",
            "/label_smoothing",
            "/class_weights",
            "/distillation/temperature",
            "/distillation/weight",
            "/averaging/ema/decay",
            "/pruning/schedule/polynomial/initial_sparsity",
            "/pruning/schedule/polynomial/final_sparsity",
            "/pruning/schedule/polynomial/end_step",
            "/pruning/schedule/polynomial/power",
            "/pruning/schedule/polynomial/frequency",
        ];
        assert_eq!(pointers, expected);
        let step = Schedule::Step {
            every: 0,
            factor: 0.0,
        };
        let recipe = Recipe {
            schedule: step,
            ..Recipe::default()
        };
        assert_eq!(recipe.check().unwrap_err().len(), 2);
        let late = Recipe {
            averaging: Some(Averaging::Swa { start_epoch: 11 }),
            ..Recipe::default()
        };
        let faults = late.check().unwrap_err();
        assert_eq!(faults[0].pointer, "/averaging/swa/start_epoch");
    }

    #[test]
    fn defaults_are_not_written() {
        let text = serde_json::to_string(&Recipe::default()).unwrap();
        let expected =
            r#"{"epochs":10,"batch_size":1024,"learning_rate":0.01,"schedule":"cosine"}"#;
        assert_eq!(text, expected);
    }
}
