//! Split and standardised tables: what training and scoring take.

use crate::aim::{Aim, moved};
use crate::error::DatasetError;
use crate::scaling::Scaling;
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
    /// Names of the classes; empty where rows have values.
    pub classes: Vec<String>,
    /// Names of the values to predict; empty where rows have classes.
    pub targets: Vec<String>,
    /// Mean of each target over the train rows; 0 where targets are not standardised.
    pub target_mean: Vec<f32>,
    /// Standard deviation of each target over the train rows; 1 where it is constant or not standardised.
    pub target_std: Vec<f32>,
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
        self.prepare_for(&Aim::default(), spec)
    }

    /// [`Dataset::prepare`] for other values to predict than the file's labels, or for standardised ones.
    /// The split is that of the file's labels either way; rows without classes are shuffled as one class.
    ///
    /// # Errors
    /// As [`Dataset::prepare`], and [`DatasetError::Target`].
    pub fn prepare_for(&self, aim: &Aim, spec: &SplitSpec) -> Result<Prepared, DatasetError> {
        let picked = aim.columns(self)?;
        let own_test = self.test.is_some();
        let alike = (vec![0; self.train.rows], ["all rows".to_owned()]);
        let (y, classes) = match &*self.classes {
            [] => (&alike.0, &alike.1[..]),
            classes => (&self.train.y, classes),
        };
        let [train, validation, test] = spec.parts(y, classes, !own_test)?;
        let mut train = self.train.select(&train);
        let mut validation = self.train.select(&validation);
        let mut test = match &self.test {
            Some(test) => test.clone(),
            None => self.train.select(&test),
        };
        let (mut features, mut classes) = (self.features.clone(), self.classes.clone());
        let mut targets = self.targets.clone();
        if !picked.is_empty() {
            for table in [&mut train, &mut validation, &mut test] {
                *table = moved(table, &picked);
            }
            features.retain(|feature| !aim.targets.contains(feature));
            targets.clone_from(&aim.targets);
            classes.clear();
        }
        let (mean, std) = self.scaling.fit(&train);
        for table in [&mut train, &mut validation, &mut test] {
            apply(table.x.to_mut(), &mean, &std);
        }
        let (target_mean, target_std) = if aim.standardise && !targets.is_empty() {
            let values = Table {
                rows: train.rows,
                columns: targets.len(),
                x: train.values.clone().into(),
                ..Table::default()
            };
            Scaling::Features.fit(&values)
        } else {
            (vec![0.0; targets.len()], vec![1.0; targets.len()])
        };
        if !targets.is_empty() {
            for table in [&mut train, &mut validation, &mut test] {
                apply(&mut table.values, &target_mean, &target_std);
            }
        }
        Ok(Prepared {
            train,
            validation,
            test,
            mean,
            std,
            classes,
            targets,
            target_mean,
            target_std,
            features,
        })
    }
}

fn apply(values: &mut [f32], mean: &[f32], std: &[f32]) {
    for row in values.chunks_exact_mut(mean.len()) {
        for ((value, mean), std) in row.iter_mut().zip(mean).zip(std) {
            *value = ((f64::from(*value) - f64::from(*mean)) / f64::from(*std)) as f32;
        }
    }
}
