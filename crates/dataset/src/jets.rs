//! The public jet sets: which of their columns are the features and the classes.
//!
//! The high-level features of the hls4ml LHC jets are published as OpenML 42468 (a table with just these), in the
//! HDF5 files of Zenodo 3602260 (`jets`, rows x 59) and as one compound array (`t_allpar_new`). Columns are looked
//! up by name, and classes are one-hot columns of known names; both keep the order of the files.

use crate::arrays::wrong;
use crate::error::DatasetError;
use crate::table::Table;

/// The features, in the order that every published network takes them in.
pub(crate) const FEATURES: [&str; 16] = [
    "j_zlogz",
    "j_c1_b0_mmdt",
    "j_c1_b1_mmdt",
    "j_c1_b2_mmdt",
    "j_c2_b1_mmdt",
    "j_c2_b2_mmdt",
    "j_d2_b1_mmdt",
    "j_d2_b2_mmdt",
    "j_d2_a1_b1_mmdt",
    "j_d2_a1_b2_mmdt",
    "j_m2_b1_mmdt",
    "j_m2_b2_mmdt",
    "j_n2_b1_mmdt",
    "j_n2_b2_mmdt",
    "j_mass_mmdt",
    "j_multiplicity",
];

/// The classes; a row's class is the column `j_` and its name that holds 1.
pub(crate) const CLASSES: [&str; 5] = ["g", "q", "w", "z", "t"];

/// Where features and classes stand among the columns of a file.
pub(crate) struct Columns {
    pub(crate) features: [usize; FEATURES.len()],
    pub(crate) classes: [usize; CLASSES.len()],
}

impl Columns {
    pub(crate) fn find(names: &[String], file: &str, array: &str) -> Result<Self, DatasetError> {
        let find = |wanted: &str| {
            let at = names.iter().position(|name| name == wanted);
            at.ok_or_else(|| {
                let problem = format!("no column {wanted} among its {}", names.len());
                let accepted = "the 16 features and the columns j_g, j_q, j_w, j_z, j_t of the public jet sets";
                wrong(file, array, problem, accepted)
            })
        };
        let mut columns = Self {
            features: [0; FEATURES.len()],
            classes: [0; CLASSES.len()],
        };
        for (at, name) in columns.features.iter_mut().zip(FEATURES) {
            *at = find(name)?;
        }
        for (at, class) in columns.classes.iter_mut().zip(CLASSES) {
            *at = find(&format!("j_{class}"))?;
        }
        Ok(columns)
    }

    /// Appends row `row` of a file to features and labels; `value` reads a column.
    pub(crate) fn push(
        &self,
        (file, array, row): (&str, &str, u64),
        value: impl Fn(usize) -> f32,
        (x, y): (&mut Vec<f32>, &mut Vec<u8>),
    ) -> Result<(), DatasetError> {
        let wrong = |column: &str, found: String, accepted: &str| DatasetError::Value {
            file: file.to_owned(),
            array: array.into(),
            place: format!("row {row}").into(),
            column: column.to_owned(),
            value: found.into(),
            accepted: accepted.into(),
        };
        for (at, name) in self.features.iter().zip(FEATURES) {
            let value = value(*at);
            if !value.is_finite() {
                return Err(wrong(name, value.to_string(), "finite numbers"));
            }
            x.push(value);
        }
        let marks = self.classes.map(&value);
        let marked = marks.iter().filter(|mark| **mark == 1.0).count();
        let class = marks.iter().position(|mark| *mark == 1.0);
        match class {
            Some(class) if marked == 1 && marks.iter().all(|mark| [0.0, 1.0].contains(mark)) => {
                y.push(class as u8);
                Ok(())
            }
            _ => Err(wrong(
                "j_g, j_q, j_w, j_z, j_t",
                format!("{marks:?}"),
                "one 1 among zeros",
            )),
        }
    }
}

/// Names of the features and of the classes.
pub(crate) fn names() -> (Vec<String>, Vec<String>) {
    (
        FEATURES.map(str::to_owned).to_vec(),
        CLASSES.map(str::to_owned).to_vec(),
    )
}

/// Keeps the first of rows that agree in all features and the class, in their order.
pub(crate) fn without_repeats(table: &Table) -> Table {
    // Zeros of both signs are the same number.
    let key = |row: usize| {
        let bits = table.row(row).iter().map(|value| (value + 0.0).to_bits());
        bits.chain([u32::from(table.y[row])])
    };
    let mut order: Vec<usize> = (0..table.rows).collect();
    order.sort_by(|a, b| key(*a).cmp(key(*b)));
    // The sort is stable: of equal rows the first stands first.
    order.dedup_by(|later, first| key(*later).eq(key(*first)));
    order.sort_unstable();
    table.select(&order)
}
