//! How bit widths are learned: epochs, rates, and the ramp of the penalty.

use bitfront_kernel::{exp, ln};
use serde::{Deserialize, Serialize};

/// What has bit widths of its own; what has not shares one number of fraction bits, and of integer bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// Every weight and bias, and every channel that a layer reads.
    #[default]
    Weight,
    /// The weights of every unit, its bias, and every channel that a layer reads.
    Channel,
    /// A layer's kernel, its biases, and all that it reads: one activation, as exports to other tools need it.
    Layer,
}

/// How bit widths are learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Passes over the train rows, at least 1.
    pub epochs: u32,
    /// Rows of a step, 1 to the number of train rows.
    pub batch_size: usize,
    /// Adam's rate of weights at the start, above 0; it falls by half a cosine to `final_rate` of it.
    pub learning_rate: f32,
    /// Share of the rates that is left at the end, 0 to 1.
    pub final_rate: f32,
    /// Adam's rate of bit widths, in bits, above 0; it falls likewise.
    pub bits_rate: f32,
    /// Nats of mean loss that an EBOP costs in the first epoch, above 0.
    pub first_beta: f64,
    /// The same in the last epoch; in between the logarithm goes evenly.
    pub last_beta: f64,
    /// Share of the epochs that the first beta is kept for, 0 to below 1.
    pub flat: f64,
    /// Fraction bits that every weight and every value starts with, 0 to 10.
    pub fraction_bits: f32,
    /// Share of the average that is kept at each step: points are made of averaged weights and widths. 0
    /// is no averaging; at least 0, below 1.
    pub averaging: f32,
    /// What has bit widths of its own.
    pub granularity: Granularity,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            epochs: 120,
            batch_size: 1024,
            learning_rate: 3e-3,
            final_rate: 0.1,
            bits_rate: 1e-2,
            first_beta: 1e-6,
            last_beta: 2e-4,
            flat: 0.1,
            fraction_bits: 5.0,
            averaging: 0.99,
            granularity: Granularity::Weight,
        }
    }
}

impl Settings {
    /// Checks every number.
    ///
    /// # Errors
    /// What is out of range, and what is accepted.
    pub fn check(&self) -> Result<(), String> {
        let number = |name: &str, value: f64, fits: bool, accepted: &str| {
            if fits {
                Ok(())
            } else {
                Err(format!("{name} is {value}; accepted is {accepted}"))
            }
        };
        let above = |name: &str, value: f64| {
            number(
                name,
                value,
                value > 0.0 && value.is_finite(),
                "a number above 0",
            )
        };
        let share =
            |name: &str, value: f64| number(name, value, (0.0..=1.0).contains(&value), "0 to 1");
        let below_one = |name: &str, value: f64| {
            number(
                name,
                value,
                (0.0..1.0).contains(&value),
                "at least 0, below 1",
            )
        };
        number("epochs", self.epochs.into(), self.epochs > 0, "at least 1")?;
        number(
            "batch_size",
            self.batch_size as f64,
            self.batch_size > 0,
            "at least 1",
        )?;
        above("learning_rate", self.learning_rate.into())?;
        above("bits_rate", self.bits_rate.into())?;
        above("first_beta", self.first_beta)?;
        above("last_beta", self.last_beta)?;
        share("final_rate", self.final_rate.into())?;
        below_one("flat", self.flat)?;
        below_one("averaging", self.averaging.into())?;
        let bits = f64::from(self.fraction_bits);
        number(
            "fraction_bits",
            bits,
            (0.0..=10.0).contains(&bits),
            "0 to 10",
        )
    }

    /// The penalty's weight at a share of the run, 0 to 1.
    pub fn beta(&self, done: f64) -> f64 {
        let along = ((done - self.flat) / (1.0 - self.flat)).clamp(0.0, 1.0);
        let (first, last) = (ln(self.first_beta), ln(self.last_beta));
        exp(first + (last - first) * along)
    }
}
