//! What of a data set is predicted: the labels of its file, or some of its features.

use crate::error::DatasetError;
use crate::scaling::Scaling;
use crate::table::{Dataset, MAX_TARGETS, Table};

/// What is predicted of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aim {
    /// Names of the features that are predicted, in this order, in place of the file's labels; a network does
    /// not read them then. Empty: the labels of the file.
    pub targets: Vec<String>,
    /// Whether values to predict are brought to mean 0 and deviation 1 over the train rows.
    pub standardise: bool,
}

impl Aim {
    /// Columns of the features that are predicted.
    ///
    /// # Errors
    /// [`DatasetError::Target`] for a name of no feature, a name that stands twice, too many names, and for
    /// images and sequences, whose features have one scale.
    pub(crate) fn columns(&self, dataset: &Dataset) -> Result<Vec<usize>, DatasetError> {
        let fault = |name: &str, problem: &'static str, accepted: String| {
            Err(DatasetError::Target {
                name: name.to_owned(),
                problem,
                accepted,
            })
        };
        let mut columns = Vec::with_capacity(self.targets.len());
        for name in &self.targets {
            if dataset.scaling != Scaling::Features {
                let accepted = "data sets of rows x features".to_owned();
                return fault(name, "is a value of an image or a sequence", accepted);
            }
            let Some(column) = dataset.features.iter().position(|feature| feature == name) else {
                return fault(name, "is no feature", dataset.features.join(", "));
            };
            if columns.contains(&column) {
                return fault(name, "stands twice", "names that differ".to_owned());
            }
            columns.push(column);
        }
        let most = MAX_TARGETS.min(dataset.features.len().saturating_sub(1));
        match self.targets.get(most) {
            Some(name) => fault(
                name,
                "is one too many",
                format!("at most {most}, so that a feature is left to read"),
            ),
            None => Ok(columns),
        }
    }
}

/// The table whose `targets` are values to predict and no features.
pub(crate) fn moved(table: &Table, targets: &[usize]) -> Table {
    let kept: Vec<usize> = (0..table.columns)
        .filter(|column| !targets.contains(column))
        .collect();
    let of = |columns: &[usize]| -> Vec<f32> {
        (0..table.rows)
            .flat_map(|row| columns.iter().map(move |column| table.row(row)[*column]))
            .collect()
    };
    Table {
        rows: table.rows,
        columns: kept.len(),
        x: of(&kept).into(),
        y: Vec::new(),
        values: of(targets),
    }
}
