//! Rows of inputs on their grid, as a network in training reads them: values, or codes of a byte each where
//! convolutions read these in place.
//!
//! The rule this module keeps: a code's value is the quantized input, bit for bit, so that which of the two is kept
//! changes nothing but the memory that goes by.

use bitfront_kernel::{Buffer, CodeValues, LANES, Uniform, stride};
use bitfront_network::{Candidate, Operation, Source};

use crate::extent::Extent;
use crate::plan::Plan;
use crate::window::reads_in_place;

/// Rows that are quantized together.
const TOGETHER: usize = 4096;

/// All rows of a split, padded.
#[derive(Debug)]
pub(crate) enum Inputs {
    Values(Buffer),
    Codes(Vec<u8>),
}

/// Some of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stored<'a> {
    Values(&'a [f32]),
    /// Less the lowest one.
    Codes(&'a [u8]),
}

impl Inputs {
    /// Rows `x`, dense, on the grid of the candidate's input quantizer.
    pub(crate) fn of(candidate: &Candidate, x: &[f32]) -> Self {
        let (columns, step) = (candidate.inputs(), stride(candidate.inputs()));
        let rows = x.len() / columns;
        if columns == step && input_codes(candidate).is_none() {
            let mut values = Buffer::zeroed(x.len());
            let parts = x.chunks(TOGETHER * columns);
            for (x, to) in parts.zip(values.chunks_mut(TOGETHER * columns)) {
                candidate.input_quantizer.quantize(x, columns, to);
            }
            return Self::Values(values);
        }
        let mut quantized = vec![0.0; rows.min(TOGETHER) * columns];
        // No scale of an input depends on other rows.
        let mut parts = |put: &mut dyn FnMut(&[f32])| {
            for x in x.chunks(TOGETHER * columns) {
                let quantized = &mut quantized[..x.len()];
                candidate.input_quantizer.quantize(x, columns, quantized);
                quantized.chunks_exact(columns).for_each(&mut *put);
            }
        };
        if let Some((_, values)) = input_codes(candidate) {
            let mut codes = Vec::with_capacity(rows * step);
            parts(&mut |row| {
                codes.extend(row.iter().map(|value| values.code(*value)));
                codes.resize(codes.len().next_multiple_of(LANES), 0);
            });
            return Self::Codes(codes);
        }
        let mut values = Buffer::zeroed(rows * step);
        let mut to = values.chunks_exact_mut(step);
        parts(&mut |row| {
            if let Some(to) = to.next() {
                to[..columns].copy_from_slice(row);
            }
        });
        Self::Values(values)
    }

    /// Bytes of so many rows, and of what is used to make them.
    pub(crate) fn bytes(candidate: &Candidate, rows: usize) -> (usize, usize) {
        let columns = candidate.inputs();
        let value = match input_codes(candidate) {
            Some(_) => 1,
            None => size_of::<f32>(),
        };
        let together = rows.min(TOGETHER) * columns * size_of::<f32>();
        (rows.saturating_mul(stride(columns) * value), together)
    }

    /// All rows.
    pub(crate) fn stored(&self) -> Stored<'_> {
        match self {
            Self::Values(values) => Stored::Values(values),
            Self::Codes(codes) => Stored::Codes(codes),
        }
    }
}

impl<'a> Stored<'a> {
    /// `count` values from `first` on.
    pub(crate) fn part(self, first: usize, count: usize) -> Self {
        match self {
            Self::Values(values) => Self::Values(&values[first..][..count]),
            Self::Codes(codes) => Self::Codes(&codes[first..][..count]),
        }
    }

    /// How many there are.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Codes(codes) => codes.len(),
        }
    }

    /// Values, where it has them.
    pub(crate) fn values(self) -> &'a [f32] {
        match self {
            Self::Values(values) => values,
            Self::Codes(_) => &[],
        }
    }

    /// Codes, where it has them.
    pub(crate) fn codes(self) -> Option<&'a [u8]> {
        match self {
            Self::Values(_) => None,
            Self::Codes(codes) => Some(codes),
        }
    }
}

/// The grid of a candidate's inputs where they are kept as codes: it has a byte for each value, and only convolutions
/// read the input that do so in place.
pub(crate) fn input_codes(candidate: &Candidate) -> Option<(Uniform, CodeValues)> {
    let input = Extent::of(&candidate.input_shape);
    let grid = Plan::of(&candidate.input_quantizer).uniform()?;
    let values = CodeValues::new(grid)?;
    let in_place = |index: usize| match &candidate.layers[index].operation {
        operation @ Operation::Conv { .. } => {
            let geometry = operation.geometry(&candidate.input_shape);
            geometry.is_ok_and(|geometry| reads_in_place(&geometry, input.channels))
        }
        _ => false,
    };
    let reads = |index: &usize| {
        let sources = candidate.sources(*index).unwrap_or_default();
        sources.contains(&Source::Input)
    };
    let mut readers = (0..candidate.layers.len()).filter(reads);
    (input.positions > 1 && readers.all(in_place)).then_some((grid, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(quantizer: &str, dilation: usize, size: usize) -> Candidate {
        let json = format!(
            r#"{{"input_shape": [5, 4, 1], "input_quantizer": "{quantizer}", "layers": [
                {{"name": "conv", "operation": {{"kind": "conv", "filters": 2, "window": {{"size": [{size}, {size}],
                "strides": [1, 1], "dilation": [{dilation}, {dilation}], "padding": "same"}},
                "kernel": "quantized_bits(6,0,alpha=1.0)", "bias": null, "fold": null}}}},
                {{"name": "flat", "operation": {{"kind": "flatten"}}}}], "head": {{"kind": "softmax"}}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn codes_are_kept_of_grids_of_bytes_that_small_windows_read() {
        for (quantizer, dilation, size, kept) in [
            ("quantized_bits(8,0,keep_negative=0,alpha=1.0)", 1, 3, true),
            ("quantized_bits(8,3,alpha=1.0)", 1, 3, true),
            ("quantized_bits(9,3,alpha=1.0)", 1, 3, false),
            ("quantized_bits(8,3,alpha=0.3)", 1, 3, false),
            ("float", 1, 3, false),
            ("quantized_bits(8,3,alpha=1.0)", 2, 3, false),
            ("quantized_bits(8,3,alpha=1.0)", 1, 8, false),
        ] {
            let found = input_codes(&candidate(quantizer, dilation, size));
            assert_eq!(
                found.is_some(),
                kept,
                "{quantizer}, dilation {dilation}, size {size}"
            );
        }
    }

    #[test]
    fn codes_stand_for_the_quantized_values() {
        let candidate = candidate("quantized_bits(8,3,alpha=1.0)", 1, 3);
        let rows = TOGETHER + 3;
        let x: Vec<f32> = (0..rows * 20)
            .map(|i| ((i * 37) % 1001) as f32 / 50.0 - 10.0)
            .collect();
        let mut expected = vec![0.0; x.len()];
        candidate.input_quantizer.quantize(&x, 20, &mut expected);
        let Inputs::Codes(codes) = Inputs::of(&candidate, &x) else {
            panic!("codes are kept");
        };
        assert_eq!(codes.len(), rows * 32);
        for (row, expected) in codes.chunks_exact(32).zip(expected.chunks_exact(20)) {
            let values = row[..20]
                .iter()
                .map(|code| (f32::from(*code) - 128.0) / 16.0);
            assert!(values.eq(expected.iter().copied()));
        }
    }
}
