//! How the learning rate goes from the first step to the last.

use bitfront_kernel::cos_pi;
use serde::{Deserialize, Serialize};

/// How the learning rate goes from the first step to the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// The same rate throughout.
    Constant,
    /// Half a cosine from the rate down to zero.
    #[default]
    Cosine,
    /// The rate times `factor` after every `every` epochs.
    Step {
        /// Epochs between changes, at least 1.
        every: u32,
        /// Above 0 and at most 1.
        factor: f32,
    },
    /// Up in equal parts, `(step + 1) / (warmup_steps + 1)` of the rate, then half a cosine down.
    WarmCosine {
        /// Steps on the way up.
        warmup_steps: u32,
        /// Where the cosine ends, as a share of the rate, 0 to 1.
        #[serde(default)]
        floor: f32,
    },
    /// The rate times `factor` when the validation loss has not fallen for `patience` epochs.
    Plateau(Plateau),
}

/// When and how far to reduce the learning rate, as Keras' `ReduceLROnPlateau`. Without fields it is the
/// paper's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plateau {
    /// What the rate is multiplied by, above 0 and below 1.
    pub factor: f32,
    /// Epochs without a lower validation loss before a reduction, at least 1.
    pub patience: u32,
    /// How much lower counts as lower, at least 0.
    pub min_delta: f32,
    /// Epochs after a reduction that do not count.
    pub cooldown: u32,
    /// The lowest rate, at least 0.
    pub min_rate: f32,
}

impl Default for Plateau {
    fn default() -> Self {
        Self {
            factor: 0.5,
            patience: 10,
            min_delta: 1e-6,
            cooldown: 2,
            min_rate: 1e-7,
        }
    }
}

impl Schedule {
    /// Learning rate of step `step` (from 0) of `steps` in `epochs` epochs; of a plateau the first.
    pub(crate) fn rate_at(&self, rate: f32, step: u64, steps: u64, epochs: u32) -> f32 {
        let half = |done: f64| 0.5 * (1.0 + cos_pi(done));
        let share = match *self {
            Self::Constant | Self::Plateau(_) => return rate,
            Self::Cosine => half(step as f64 / steps as f64),
            Self::Step { every, factor } => {
                let epoch = step / (steps / u64::from(epochs)).max(1);
                power(f64::from(factor), epoch / u64::from(every))
            }
            Self::WarmCosine {
                warmup_steps,
                floor,
            } => {
                let (warm, floor) = (u64::from(warmup_steps), f64::from(floor));
                if step < warm {
                    (step + 1) as f64 / (warm + 1) as f64
                } else {
                    let done = (step - warm) as f64 / (steps - warm) as f64;
                    floor + (1.0 - floor) * half(done)
                }
            }
        };
        (f64::from(rate) * share) as f32
    }
}

/// `base^exponent` in a fixed order of products.
pub(crate) fn power(mut base: f64, mut exponent: u64) -> f64 {
    let mut product = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            product *= base;
        }
        base *= base;
        exponent /= 2;
    }
    product
}

/// The lowest loss so far, and the epochs since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lowest {
    loss: f32,
    pub(crate) waited: u32,
}

impl Lowest {
    pub(crate) fn new() -> Self {
        Self {
            loss: f32::INFINITY,
            waited: 0,
        }
    }

    /// Whether this epoch's loss is the lowest by more than `min_delta`.
    pub(crate) fn lowers(&mut self, loss: f32, min_delta: f32) -> bool {
        let lower = loss < self.loss - min_delta;
        if lower {
            self.loss = loss;
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        lower
    }
}

/// Where a plateau schedule stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reduction {
    plateau: Plateau,
    pub(crate) rate: f32,
    lowest: Lowest,
    cooling: u32,
}

impl Reduction {
    pub(crate) fn new(plateau: Plateau, rate: f32) -> Self {
        Self {
            plateau,
            rate,
            lowest: Lowest::new(),
            cooling: 0,
        }
    }

    /// Takes the validation loss of an epoch.
    pub(crate) fn after(&mut self, loss: f32) {
        if self.cooling > 0 {
            self.cooling -= 1;
            self.lowest.waited = 0;
        }
        if self.lowest.lowers(loss, self.plateau.min_delta) {
            return;
        }
        if self.cooling > 0 {
            self.lowest.waited = 0;
        } else if self.lowest.waited >= self.plateau.patience && self.rate > self.plateau.min_rate {
            self.rate = (self.rate * self.plateau.factor).max(self.plateau.min_rate);
            self.cooling = self.plateau.cooldown;
            self.lowest.waited = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_fall_after_whole_epochs() {
        let schedule = Schedule::Step {
            every: 2,
            factor: 0.5,
        };
        let rates = [0, 19, 20, 39, 40, 59].map(|step| schedule.rate_at(1.0, step, 60, 6));
        assert_eq!(rates, [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
        assert_eq!(power(3.0, 5), 243.0);
        assert_eq!(power(3.0, 0), 1.0);
    }

    #[test]
    fn warmth_comes_before_the_cosine() {
        let schedule = Schedule::WarmCosine {
            warmup_steps: 3,
            floor: 0.5,
        };
        let rates = [0, 1, 2, 3, 53].map(|step| schedule.rate_at(1.0, step, 103, 1));
        assert_eq!(rates, [0.25, 0.5, 0.75, 1.0, 0.75]);
        assert!((schedule.rate_at(1.0, 102, 103, 1) - 0.5).abs() < 1e-3);
        // A run that ends before the warm-up does.
        assert_eq!(schedule.rate_at(1.0, 1, 2, 1), 0.5);
    }

    #[test]
    fn a_plateau_reduces_waits_and_ends_at_the_lowest_rate() {
        let plateau = Plateau {
            factor: 0.5,
            patience: 2,
            min_delta: 0.125,
            cooldown: 2,
            min_rate: 0.2,
        };
        let mut reduction = Reduction::new(plateau, 1.0);
        let losses = [
            4.0, 3.0, 2.9, 2.9, 2.9, 2.9, 2.9, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5,
        ];
        let rates = losses.map(|loss| {
            reduction.after(loss);
            reduction.rate
        });
        // Epoch 5 cools and does not count, 6 and 7 do; 9 and 10 count after the lower 2.5.
        let expected = [
            1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2,
        ];
        assert_eq!(rates, expected);
    }

    #[test]
    fn the_default_plateau_is_the_papers() {
        let read: Schedule = serde_json::from_str(r#"{"plateau": {}}"#).unwrap();
        assert_eq!(read, Schedule::Plateau(Plateau::default()));
        let error = serde_json::from_str::<Schedule>(r#"{"plateau": {"min_lr": 1}}"#);
        assert!(error.unwrap_err().to_string().contains("unknown field"));
    }
}
