//! Which weights are set to zero for good, and when.
//!
//! The rule this module keeps: shares over steps are those of tensorflow-model-optimization's
//! `PolynomialDecay` and `ConstantSparsity`; what is pruned stays pruned.

use bitfront_kernel::{exp, ln};
use serde::{Deserialize, Serialize};

/// Pruning of kernels by magnitude: in each layer the smallest weights, or the channels with the least
/// sum of squares, become zero and stay it. Of equals, those with the lowest index stay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruning {
    /// How much, by step.
    pub schedule: Sparsity,
    /// What is pruned together.
    #[serde(default)]
    pub by: PruneBy,
}

/// What is pruned together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PruneBy {
    /// Each weight for itself.
    #[default]
    Weight,
    /// All weights that read one input channel; of a dense layer, one input.
    InputChannel,
    /// All weights of one output channel; of a dense layer, one unit. Layers whose channels are the
    /// network's outputs are left as they are.
    OutputChannel,
}

/// The pruned share of each kernel's weights or channels, by step; steps count from 0, and weights are
/// pruned before the step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sparsity {
    /// One share, in one step: later ones would find the same weights.
    Constant {
        /// At least 0 and below 1.
        sparsity: f64,
        /// The step.
        begin_step: u64,
    },
    /// `final + (initial - final) (1 - p)^power`, where `p` goes from 0 in `begin_step` to 1 in
    /// `end_step`.
    Polynomial {
        /// The share in `begin_step`, at least 0 and at most the final one.
        #[serde(default)]
        initial_sparsity: f64,
        /// The share in `end_step` and from then on, below 1.
        final_sparsity: f64,
        /// The first step that prunes.
        begin_step: u64,
        /// The last step that prunes, not before the first.
        end_step: u64,
        /// Above 0; 3 unless given.
        #[serde(default = "default_power")]
        power: f64,
        /// Steps from one pruning to the next, at least 1; 100 unless given. `end_step` prunes however
        /// far it is from the last.
        #[serde(default = "default_frequency")]
        frequency: u64,
    },
}

fn default_power() -> f64 {
    3.0
}

fn default_frequency() -> u64 {
    100
}

impl Sparsity {
    /// The share that step `step` prunes to; `None` in a step that prunes nothing.
    pub fn due(&self, step: u64) -> Option<f64> {
        match *self {
            Self::Constant { begin_step, .. } => step == begin_step,
            Self::Polynomial {
                begin_step,
                end_step,
                frequency,
                ..
            } => {
                let within = (begin_step..=end_step).contains(&step);
                within && (step == end_step || (step - begin_step).is_multiple_of(frequency))
            }
        }
        .then(|| self.at(step))
    }

    /// The schedule's share at a step.
    fn at(&self, step: u64) -> f64 {
        match *self {
            Self::Constant { sparsity, .. } => sparsity,
            Self::Polynomial {
                initial_sparsity,
                final_sparsity,
                begin_step,
                end_step,
                power,
                ..
            } => {
                if step >= end_step {
                    return final_sparsity;
                }
                let gone = step.saturating_sub(begin_step) as f64;
                let left = 1.0 - gone / (end_step - begin_step) as f64;
                // By products, or by functions of this project: the system's may differ in the last bit.
                let left = if power.fract() == 0.0 {
                    crate::schedule::power(left, power as u64)
                } else {
                    exp(power * ln(left))
                };
                (initial_sparsity - final_sparsity) * left + final_sparsity
            }
        }
    }

    /// The step that prunes last, with its field's name.
    pub(crate) fn last_step(&self) -> (&'static str, u64) {
        match *self {
            Self::Constant { begin_step, .. } => {
                ("/pruning/schedule/constant/begin_step", begin_step)
            }
            Self::Polynomial { end_step, .. } => {
                ("/pruning/schedule/polynomial/end_step", end_step)
            }
        }
    }

    /// Fields out of range: pointer, value and what is accepted.
    pub(crate) fn faults(&self) -> Vec<(&'static str, String, &'static str)> {
        let share = |value: f64| (0.0..1.0).contains(&value);
        let mut faults = Vec::new();
        let mut expect = |right: bool, pointer, value: String, accepted| {
            if !right {
                faults.push((pointer, value, accepted));
            }
        };
        match *self {
            Self::Constant { sparsity, .. } => {
                let at = "/pruning/schedule/constant/sparsity";
                expect(
                    share(sparsity),
                    at,
                    sparsity.to_string(),
                    "at least 0 and below 1",
                );
            }
            Self::Polynomial {
                initial_sparsity: initial,
                final_sparsity: last,
                begin_step,
                end_step,
                power,
                frequency,
            } => {
                expect(
                    share(initial) && (initial <= last || !share(last)),
                    "/pruning/schedule/polynomial/initial_sparsity",
                    initial.to_string(),
                    "at least 0 and at most final_sparsity",
                );
                expect(
                    share(last),
                    "/pruning/schedule/polynomial/final_sparsity",
                    last.to_string(),
                    "at least 0 and below 1",
                );
                expect(
                    begin_step <= end_step,
                    "/pruning/schedule/polynomial/end_step",
                    end_step.to_string(),
                    "begin_step or later",
                );
                expect(
                    power > 0.0 && power <= 100.0,
                    "/pruning/schedule/polynomial/power",
                    power.to_string(),
                    "above 0 and at most 100",
                );
                expect(
                    frequency > 0,
                    "/pruning/schedule/polynomial/frequency",
                    frequency.to_string(),
                    "at least 1",
                );
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polynomial(begin_step: u64, end_step: u64, frequency: u64) -> Sparsity {
        Sparsity::Polynomial {
            initial_sparsity: 0.25,
            final_sparsity: 0.875,
            begin_step,
            end_step,
            power: 3.0,
            frequency,
        }
    }

    fn prunings(schedule: Sparsity) -> Vec<(u64, f64)> {
        let due = |step| schedule.due(step).map(|share| (step, share));
        (0..200).filter_map(due).collect()
    }

    #[test]
    fn polynomial_shares_are_those_of_the_original_formula() {
        // (0.25 - 0.875) * (1 - (step - 10) / 100) ** 3 + 0.875, written out by Python.
        let expected = [
            (10, 0.25),
            (35, 0.611_328_125),
            (60, 0.796_875),
            (85, 0.865_234_375),
            (110, 0.875),
        ];
        assert_eq!(prunings(polynomial(10, 110, 25)), expected);
        let linear = Sparsity::Polynomial {
            initial_sparsity: 0.0,
            final_sparsity: 0.5,
            begin_step: 0,
            end_step: 4,
            power: 1.0,
            frequency: 1,
        };
        let expected = [(0, 0.0), (1, 0.125), (2, 0.25), (3, 0.375), (4, 0.5)];
        assert_eq!(prunings(linear), expected);
    }

    #[test]
    fn the_last_step_prunes_however_far_it_is() {
        let steps: Vec<u64> = prunings(polynomial(3, 20, 10))
            .iter()
            .map(|p| p.0)
            .collect();
        assert_eq!(steps, [3, 13, 20]);
        assert_eq!(prunings(polynomial(5, 5, 100)), [(5, 0.875)]);
    }

    #[test]
    fn a_constant_share_is_pruned_once() {
        let schedule = Sparsity::Constant {
            sparsity: 0.5,
            begin_step: 7,
        };
        assert_eq!(prunings(schedule), [(7, 0.5)]);
    }

    #[test]
    fn defaults_are_the_originals() {
        let text = r#"{"schedule": {"polynomial": {"final_sparsity": 0.5, "begin_step": 0, "end_step": 9}}}"#;
        let read: Pruning = serde_json::from_str(text).unwrap();
        let schedule = Sparsity::Polynomial {
            initial_sparsity: 0.0,
            final_sparsity: 0.5,
            begin_step: 0,
            end_step: 9,
            power: 3.0,
            frequency: 100,
        };
        let by = PruneBy::Weight;
        assert_eq!(read, Pruning { schedule, by });
    }
}
