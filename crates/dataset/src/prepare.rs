//! Split and standardised tables: what training and scoring take.

use crate::error::DatasetError;
use crate::split::SplitSpec;
use crate::table::{Dataset, Table};

/// A data set ready for training.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// Standardised rows to train on.
    pub train: Table,
    /// Standardised rows that choose between candidates.
    pub validation: Table,
    /// Standardised rows that are only reported.
    pub test: Table,
    /// Mean of each feature over the train rows.
    pub mean: Vec<f32>,
    /// Standard deviation of each feature over the train rows; 1 where a feature is constant.
    pub std: Vec<f32>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Names of the features.
    pub features: Vec<String>,
}

impl Dataset {
    /// Splits, and standardises every feature to mean 0 and deviation 1 over the train rows; images by
    /// channel, or as fractions of 256 ([`crate::Scaling`]).
    ///
    /// Sums run in f64 in row order. Mean and deviation are rounded to f32 first and applied in
    /// f64, so that `((raw - mean) / std) as f32` from the stored constants gives the same bits.
    ///
    /// # Errors
    /// [`DatasetError::Split`] and [`DatasetError::EmptyClass`].
    pub fn prepare(&self, spec: &SplitSpec) -> Result<Prepared, DatasetError> {
        let own_test = self.test.is_some();
        let [train, validation, test] = spec.parts(&self.train.y, &self.classes, !own_test)?;
        let mut train = self.train.select(&train);
        let mut validation = self.train.select(&validation);
        let mut test = match &self.test {
            Some(test) => test.clone(),
            None => self.train.select(&test),
        };
        let (mean, std) = self.scaling.fit(&train);
        for table in [&mut train, &mut validation, &mut test] {
            apply(table, &mean, &std);
        }
        Ok(Prepared {
            train,
            validation,
            test,
            mean,
            std,
            classes: self.classes.clone(),
            features: self.features.clone(),
        })
    }
}

fn apply(table: &mut Table, mean: &[f32], std: &[f32]) {
    for row in table.x.to_mut().chunks_exact_mut(mean.len()) {
        for ((value, mean), std) in row.iter_mut().zip(mean).zip(std) {
            *value = ((f64::from(*value) - f64::from(*mean)) / f64::from(*std)) as f32;
        }
    }
}
