//! Windows that slide over an image or a sequence: sizes, padding, and which input each tap reads.
//!
//! Tensors are channels-last: `[length, channels]` in one dimension, `[height, width, channels]` in
//! two. One-dimensional windows are handled as two-dimensional ones of height 1.

use serde::{Deserialize, Serialize};

/// What happens at the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Only windows that lie inside.
    Valid,
    /// As many outputs as `ceil(input / stride)`; the odd border element goes behind, as in Keras.
    /// Sums read zeros there; pooling leaves them out.
    Same,
}

/// A sliding window: one entry an axis, so one or two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Taps.
    pub size: Vec<usize>,
    /// Steps between outputs.
    pub strides: Vec<usize>,
    /// Steps between taps; 1 everywhere for pooling.
    pub dilation: Vec<usize>,
    /// Border.
    pub padding: Padding,
}

/// One axis of a window laid over an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Elements of the input.
    pub input: usize,
    /// Elements of the output.
    pub output: usize,
    /// Taps.
    pub size: usize,
    /// Steps between outputs.
    pub stride: usize,
    /// Steps between taps.
    pub dilation: usize,
    /// Border elements before the first input.
    pub before: usize,
}

impl Axis {
    /// An axis of one element under a window of one.
    pub const ONE: Self = Self {
        input: 1,
        output: 1,
        size: 1,
        stride: 1,
        dilation: 1,
        before: 0,
    };

    /// The input element that tap `tap` of output `output` reads; `None` in the border.
    pub fn source(&self, output: usize, tap: usize) -> Option<usize> {
        (output * self.stride + tap * self.dilation)
            .checked_sub(self.before)
            .filter(|at| *at < self.input)
    }

    /// Whether any tap of any output lies in the border.
    pub fn reads_border(&self) -> bool {
        (0..self.output).any(|o| (0..self.size).any(|t| self.source(o, t).is_none()))
    }
}

/// A window laid over a channels-last input: rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Vertical axis; a single element in one dimension.
    pub rows: Axis,
    /// Horizontal axis.
    pub columns: Axis,
}

impl Geometry {
    /// Number of output positions.
    pub fn positions(&self) -> usize {
        self.rows.output * self.columns.output
    }

    /// Number of taps.
    pub fn taps(&self) -> usize {
        self.rows.size * self.columns.size
    }

    /// The input position (row-major) that tap `tap` (row-major) of output `position` reads; `None`
    /// in the border.
    pub fn source(&self, position: usize, tap: usize) -> Option<usize> {
        let (width, taps) = (self.columns.output, self.columns.size);
        let row = self.rows.source(position / width, tap / taps)?;
        let column = self.columns.source(position % width, tap % taps)?;
        Some(row * self.columns.input + column)
    }

    /// Whether any tap of any output lies in the border.
    pub fn reads_border(&self) -> bool {
        self.rows.reads_border() || self.columns.reads_border()
    }

    /// Output positions at which tap `tap` (row-major) lies inside the input: its products.
    pub fn uses(&self, tap: usize) -> usize {
        (0..self.positions())
            .filter(|&position| self.source(position, tap).is_some())
            .count()
    }
}

impl Window {
    fn lists(&self) -> [(&'static str, &[usize]); 3] {
        [
            ("size", &self.size),
            ("strides", &self.strides),
            ("dilation", &self.dilation),
        ]
    }

    /// What is wrong whatever the input, as a sentence's end.
    pub(crate) fn check_entries(&self) -> Result<(), String> {
        for (name, list) in self.lists() {
            if let Some(bad) = list.iter().find(|v| !(1..=LARGEST_STEP).contains(*v)) {
                return Err(format!(
                    "has the {name} {bad}; accepted are 1 to {LARGEST_STEP}"
                ));
            }
        }
        Ok(())
    }

    /// Lays the window over the spatial axes `extents` of an input.
    ///
    /// # Errors
    /// What is wrong and what is accepted, as a sentence's end.
    pub fn over(&self, extents: &[usize]) -> Result<Geometry, String> {
        let dimensions = extents.len();
        if !(1..=2).contains(&dimensions) {
            return Err(format!(
                "reads a tensor of {} axes; accepted are [length, channels] and \
                 [height, width, channels]",
                dimensions + 1
            ));
        }
        for (name, list) in self.lists() {
            if list.len() != dimensions {
                return Err(format!(
                    "has {} entries of {name} for an input of {dimensions} spatial axes",
                    list.len()
                ));
            }
        }
        self.check_entries()?;
        let axis = |at: usize| -> Result<Axis, String> {
            let (input, size, stride) = (extents[at], self.size[at], self.strides[at]);
            let dilation = self.dilation[at];
            let reach = (size - 1) * dilation + 1;
            let (output, before) = match self.padding {
                Padding::Valid if reach > input => {
                    return Err(format!(
                        "has a window of {reach} over an input of {input}; accepted are windows \
                         that fit, or the padding `same`"
                    ));
                }
                Padding::Valid => ((input - reach) / stride + 1, 0),
                Padding::Same => {
                    let output = input.div_ceil(stride);
                    let border = ((output - 1) * stride + reach).saturating_sub(input);
                    (output, border / 2)
                }
            };
            Ok(Axis {
                input,
                output,
                size,
                stride,
                dilation,
                before,
            })
        };
        let last = axis(dimensions - 1)?;
        let first = if dimensions == 2 { axis(0)? } else { Axis::ONE };
        Ok(Geometry {
            rows: first,
            columns: last,
        })
    }
}

/// Longest window, stride and dilation.
const LARGEST_STEP: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn window(size: usize, stride: usize, dilation: usize, padding: Padding) -> Window {
        Window {
            size: vec![size],
            strides: vec![stride],
            dilation: vec![dilation],
            padding,
        }
    }

    #[test]
    fn same_padding_puts_the_odd_element_behind() {
        // Keras: 5 inputs, 2 taps, stride 2: outputs 3, one border element, behind.
        let columns = window(2, 2, 1, Padding::Same).over(&[5]).unwrap().columns;
        assert_eq!((columns.output, columns.before), (3, 0));
        assert_eq!(columns.source(2, 1), None);
        assert_eq!(columns.source(2, 0), Some(4));
        // 3 taps, stride 1: one on each side.
        let columns = window(3, 1, 1, Padding::Same).over(&[5]).unwrap().columns;
        assert_eq!((columns.output, columns.before), (5, 1));
        assert_eq!(columns.source(0, 0), None);
    }

    #[test]
    fn dilation_widens_the_reach() {
        let columns = window(3, 1, 2, Padding::Valid).over(&[7]).unwrap().columns;
        assert_eq!(columns.output, 3);
        assert_eq!(columns.source(2, 2), Some(6));
        assert!(window(3, 1, 4, Padding::Valid).over(&[7]).is_err());
    }
}
