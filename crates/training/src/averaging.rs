//! Averages of the weights along a run, which are what is evaluated and kept.
//!
//! The rule this module keeps: sums run in f64 over tensors in graph order, and a run without averaging is
//! not touched. Running means and variances of normalisations are averaged like weights (as `PyTorch`'s
//! `AveragedModel` does with `use_buffers`): they belong to the weights they were measured with, and no
//! further pass over the rows is taken.

use serde::{Deserialize, Serialize};

/// How weights are averaged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Averaging {
    /// Exponential moving average, as Keras' `use_ema`: after every step
    /// `average = decay average + (1 - decay) weights`, from the weights of the first step on.
    Ema {
        /// At least 0 and below 1; 0.99 unless given.
        #[serde(default = "default_decay")]
        decay: f32,
    },
    /// Stochastic weight averaging (Izmailov et al., arXiv 1803.05407): the mean of the weights at the end
    /// of each epoch from `start_epoch` on. Until then, the weights themselves.
    Swa {
        /// The first epoch that counts, from 1.
        start_epoch: u32,
    },
}

fn default_decay() -> f32 {
    0.99
}

/// An average of the weights so far.
#[derive(Debug)]
pub(crate) struct Average {
    averaging: Averaging,
    /// What was averaged so far.
    count: u64,
    /// A tensor each, with its padding.
    averages: Vec<Vec<f64>>,
    /// The weights, while the averages stand in their place.
    weights: Vec<Vec<f32>>,
}

impl Average {
    /// Of no weights yet; `lengths` are the tensors'.
    pub(crate) fn new(averaging: Averaging, lengths: &[usize]) -> Self {
        Self {
            averaging,
            count: 0,
            averages: lengths.iter().map(|length| vec![0.0; *length]).collect(),
            weights: lengths.iter().map(|length| vec![0.0; *length]).collect(),
        }
    }

    /// Whether the weights at the end of this step are taken in: every step's, or only the last ones of
    /// epochs late enough.
    pub(crate) fn takes(&self, epoch: u32, last_step: bool) -> bool {
        match self.averaging {
            Averaging::Ema { .. } => true,
            Averaging::Swa { start_epoch } => last_step && epoch >= start_epoch,
        }
    }

    /// Whether nothing was averaged yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The share of the next weights in the average; the rest is the average's so far.
    pub(crate) fn next_share(&mut self) -> f64 {
        self.count += 1;
        match self.averaging {
            _ if self.count == 1 => 1.0,
            Averaging::Ema { decay } => 1.0 - f64::from(decay),
            Averaging::Swa { .. } => 1.0 / self.count as f64,
        }
    }

    /// Takes in the weights of tensor `index`.
    pub(crate) fn take(&mut self, index: usize, share: f64, weights: &[f32]) {
        for (average, weight) in self.averages[index].iter_mut().zip(weights) {
            *average += share * (f64::from(*weight) - *average);
        }
    }

    /// Puts the average of tensor `index` in the place of its weights.
    pub(crate) fn show(&mut self, index: usize, weights: &mut [f32]) {
        self.weights[index].copy_from_slice(weights);
        for (weight, average) in weights.iter_mut().zip(&self.averages[index]) {
            *weight = *average as f32;
        }
    }

    /// Gives tensor `index` its weights back.
    pub(crate) fn hide(&self, index: usize, weights: &mut [f32]) {
        weights.copy_from_slice(&self.weights[index]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn averaged(averaging: Averaging, weights: &[f32]) -> Vec<f32> {
        let mut average = Average::new(averaging, &[1]);
        let after = weights.iter().map(|weight| {
            let share = average.next_share();
            average.take(0, share, &[*weight]);
            let mut shown = [*weight];
            average.show(0, &mut shown);
            let mut hidden = shown;
            average.hide(0, &mut hidden);
            assert_eq!(hidden, [*weight]);
            shown[0]
        });
        after.collect()
    }

    #[test]
    fn both_by_hand() {
        let ema = Averaging::Ema { decay: 0.75 };
        assert_eq!(averaged(ema, &[4.0, 8.0, 1.0]), [4.0, 5.0, 4.0]);
        let swa = Averaging::Swa { start_epoch: 3 };
        assert_eq!(averaged(swa, &[4.0, 8.0, 0.0]), [4.0, 6.0, 4.0]);
    }

    #[test]
    fn an_average_takes_every_step_or_late_epochs_ends() {
        let ema = Average::new(Averaging::Ema { decay: 0.9 }, &[]);
        assert!(ema.takes(1, false));
        let swa = Average::new(Averaging::Swa { start_epoch: 3 }, &[]);
        let taken =
            [(2, true), (3, false), (3, true), (4, true)].map(|(e, last)| swa.takes(e, last));
        assert_eq!(taken, [false, false, true, true]);
    }

    #[test]
    fn names_and_defaults() {
        let read = serde_json::from_str::<Averaging>;
        assert_eq!(
            read(r#"{"ema": {}}"#).unwrap(),
            Averaging::Ema { decay: 0.99 }
        );
        let swa = read(r#"{"swa": {"start_epoch": 7}}"#).unwrap();
        assert_eq!(swa, Averaging::Swa { start_epoch: 7 });
        assert!(read(r#"{"swa": {"start": 7}}"#).is_err());
    }
}
