//! Memory that a quantizer works in, kept between calls.

use crate::Quantizer;
use crate::table::Table;

/// Working memory of one quantizer that is applied again and again: with tensors no larger than the
/// largest before, [`Quantizer::quantize_in`] and [`Quantizer::quantize_training_in`] allocate nothing.
///
/// ```
/// use bitfront_quantizer::{Quantizer, Workspace};
/// let quantizer: Quantizer = "ternary(alpha='auto_po2')".parse()?;
/// let (mut memory, mut y) = (Workspace::default(), [0.0; 4]);
/// quantizer.quantize_in(&[0.9, -0.1, -1.1, 0.2], 1, &mut y, &mut memory);
/// assert_eq!(y, [1.0, 0.0, -1.0, 0.0]);
/// assert_eq!(memory.scales(), [1.0]);
/// # Ok::<(), bitfront_quantizer::ParseQuantizerError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    /// Scale of each column, as the last call used it.
    pub(crate) scales: Vec<f32>,
    /// Inputs as the grid of a family with a function in front sees them.
    pub(crate) before_grid: Vec<f32>,
    /// Inputs of a grid of codes, and inputs rounded by chance.
    pub(crate) moved: Vec<f32>,
    /// Sums of each column.
    pub(crate) sums: [Vec<f64>; 2],
    table: Option<(Quantizer, Table)>,
}

impl Workspace {
    /// What the last call found: the scale of each column as `QKeras` reports it (one where the tensor
    /// has a single one, 1 where the family has none).
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// A tensor's single scale.
    pub(crate) fn set_scale(&mut self, scale: f32) {
        self.scales.clear();
        self.scales.push(scale);
    }

    /// The quantizer's table; made by `make` where it is not there yet.
    pub(crate) fn table(
        &mut self,
        quantizer: &Quantizer,
        make: impl FnOnce() -> Option<Table>,
    ) -> Option<&Table> {
        if self.table.as_ref().is_none_or(|(of, _)| of != quantizer) {
            self.table = make().map(|table| (*quantizer, table));
        }
        self.table.as_ref().map(|(_, table)| table)
    }
}

/// Zeros, one a column.
pub(crate) fn cleared<T: Copy + Default>(values: &mut Vec<T>, columns: usize) {
    values.clear();
    values.resize(columns, T::default());
}
