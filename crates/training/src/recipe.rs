//! How long and how fast to train.

use bitfront_kernel::cos_pi;
use serde::{Deserialize, Serialize};

/// How the learning rate goes from the first step to the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same rate throughout.
    Constant,
    /// Half a cosine from the rate down to zero.
    #[default]
    Cosine,
}

/// Part of a run, its end, in which normalisations that are folded into weights use running statistics.
const FROZEN_PART: u64 = 4;

/// A training recipe: Adam on the head's loss.
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
    /// Adam's learning rate at the first step, above 0 and at most 1.
    pub learning_rate: f32,
    /// How the learning rate goes on from there.
    pub schedule: Schedule,
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
    pub accepted: &'static str,
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
        let mut expect = |right: bool, pointer, value: &dyn ToString, accepted| {
            if !right {
                let value = value.to_string();
                faults.push(RecipeFault {
                    pointer,
                    value,
                    accepted,
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
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// Learning rate of step `step` (from 0) of `steps`.
    pub fn rate_at(&self, step: u64, steps: u64) -> f32 {
        match self.schedule {
            Schedule::Constant => self.learning_rate,
            Schedule::Cosine => {
                let half = 0.5 * (1.0 + cos_pi(step as f64 / steps as f64));
                (f64::from(self.learning_rate) * half) as f32
            }
        }
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
}
