//! The window stage: a shift register over the positions of an image, and when it holds which output.
//!
//! Positions are counted row-major over the whole image, `n`. The register's newest entry is the last
//! position that was pushed, so the element under tap (a, b) of an output lies a fixed number of
//! entries behind, whatever the output; taps beyond the image's border are masked.

use bitfront_network::{Geometry, TensorFormat};

use crate::circuit::Port;

/// A window over a stream of positions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) geometry: Geometry,
    /// Words of a beat.
    pub(super) ports: Vec<Port>,
}

impl Window {
    /// A window over beats of format `input`.
    ///
    /// # Errors
    /// What does not stream, as a sentence's end.
    pub(super) fn new(geometry: Geometry, input: &TensorFormat) -> Result<Self, String> {
        let ports = Port::pack(
            input
                .range
                .iter()
                .copied()
                .zip(input.fraction.iter().copied()),
        );
        let window = Self { geometry, ports };
        // Outputs come one a push at most, in order, and none before its elements.
        let due: Vec<i64> = (0..geometry.positions()).map(|at| window.due(at)).collect();
        if due.first().is_some_and(|first| *first < 0) || due.windows(2).any(|d| d[0] >= d[1]) {
            return Err(
                "has a border wider than its window reaches; accepted are borders of \
                        `valid` and `same`"
                    .into(),
            );
        }
        Ok(window)
    }

    /// Positions of an input image.
    pub(super) fn positions(&self) -> usize {
        self.geometry.rows.input * self.geometry.columns.input
    }

    /// Entries of the register.
    pub(super) fn entries(&self) -> usize {
        self.delay(0) + 1
    }

    /// How many entries behind the newest the element under a tap lies.
    pub(super) fn delay(&self, tap: usize) -> usize {
        let (rows, columns) = (&self.geometry.rows, &self.geometry.columns);
        let (a, b) = (tap / columns.size, tap % columns.size);
        (rows.size - 1 - a) * rows.dilation * columns.input
            + (columns.size - 1 - b) * columns.dilation
    }

    /// The push (from 0) after which output position `at` stands in the register. Pushes beyond the
    /// image's positions are empty ones.
    pub(super) fn due(&self, at: usize) -> i64 {
        let (rows, columns) = (&self.geometry.rows, &self.geometry.columns);
        let (r, c) = (at / columns.output, at % columns.output);
        let last = |axis: &bitfront_network::Axis, out: usize| {
            (out * axis.stride + (axis.size - 1) * axis.dilation) as i64 - axis.before as i64
        };
        last(rows, r) * columns.input as i64 + last(columns, c)
    }

    /// Empty pushes that the last outputs of an image need.
    pub(super) fn flush(&self) -> usize {
        let last = self.due(self.geometry.positions() - 1);
        usize::try_from(last + 1 - self.positions() as i64).unwrap_or(0)
    }

    /// The input position under each tap of an output, found as the register does: by the delay behind
    /// the push that the output is due at, masked beyond the border.
    pub(super) fn taps(&self, at: usize) -> Vec<Option<usize>> {
        let due = self.due(at);
        let tap = |tap: usize| {
            let from = due - self.delay(tap) as i64;
            self.inside(at, tap).then_some(from as usize)
        };
        (0..self.geometry.taps()).map(tap).collect()
    }

    /// Whether a tap of an output lies inside the image.
    pub(super) fn inside(&self, at: usize, tap: usize) -> bool {
        self.geometry.source(at, tap).is_some()
    }
}
