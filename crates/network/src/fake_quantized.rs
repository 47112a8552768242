//! The fake-quantized forward pass at evaluation: the float twin of the integer program.
//!
//! The rule this module keeps: sums are taken in input order, bias last, without fused
//! multiply-add; at the precision that [`forward_precision`] names every partial sum is exact, so
//! order would not matter.

use bitfront_quantizer::Quantizer;

use crate::{Candidate, IntegerProgram, Weights};

/// Which float carries the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardPrecision {
    /// f32: exact while no partial sum passes 2^24 units of its finest grid.
    F32,
    /// f64: exact to 2^53.
    F64,
}

/// Largest number of units that f32 counts exactly.
const F32_UNITS: u64 = 1 << 24;

/// The precision at which the fake-quantized pass is exact for these weights.
///
/// f32 is exact if, for every output of every layer, the sum of all magnitudes
/// `sum_k |W_k| * A_max + |B|`, in units of the finest grid, is at most 2^24: then no partial sum in
/// any order passes it. Otherwise f64, which holds whatever an [`IntegerProgram`] may need. A
/// candidate without an integer program (a float reference) has no exact precision: f32 says what
/// it was trained at.
pub fn forward_precision(candidate: &Candidate, weights: &Weights) -> ForwardPrecision {
    let Ok(program) = IntegerProgram::freeze(candidate, weights) else {
        return ForwardPrecision::F32;
    };
    let exact = program.layers.iter().all(|layer| {
        let small = layer.accumulator_range.iter().all(|range| {
            range.lo.unsigned_abs() <= F32_UNITS && range.hi.unsigned_abs() <= F32_UNITS
        });
        // Units far from one would leave f32's normal range.
        let near = |fraction: &i32| (-100..=120).contains(fraction);
        small && layer.accumulator_fraction.iter().all(near)
    });
    if exact {
        ForwardPrecision::F32
    } else {
        ForwardPrecision::F64
    }
}

/// Logits of standardised rows (`rows x inputs`), row-major `rows x outputs`, as real numbers.
///
/// # Panics
/// If the weights are not of the candidate's shape, or `rows` is not whole rows.
pub fn forward(
    candidate: &Candidate,
    weights: &Weights,
    rows: &[f32],
    precision: ForwardPrecision,
) -> Vec<f64> {
    trace(candidate, weights, rows, precision)
        .pop()
        .unwrap_or_default()
}

/// Outputs of every layer (behind its activation), first to last; each row-major `rows x units`.
///
/// # Panics
/// As [`forward`].
pub fn forward_trace(
    candidate: &Candidate,
    weights: &Weights,
    rows: &[f32],
    precision: ForwardPrecision,
) -> Vec<Vec<f64>> {
    trace(candidate, weights, rows, precision)
}

fn trace(
    candidate: &Candidate,
    weights: &Weights,
    rows: &[f32],
    precision: ForwardPrecision,
) -> Vec<Vec<f64>> {
    if let Some((place, problem)) = weights.shape_fault(candidate) {
        panic!("{place}: {problem}");
    }
    assert!(
        candidate.inputs > 0 && rows.len().is_multiple_of(candidate.inputs),
        "{} values are whole rows of {}",
        rows.len(),
        candidate.inputs
    );
    let count = rows.len() / candidate.inputs;
    let mut values = vec![0f32; rows.len()];
    candidate
        .input_quantizer
        .quantize(rows, candidate.inputs, &mut values);
    let mut values: Vec<f64> = values.into_iter().map(f64::from).collect();
    let mut outputs = Vec::with_capacity(candidate.layers.len());
    for (index, (layer, weights)) in candidate.layers.iter().zip(&weights.layers).enumerate() {
        let (inputs, units) = candidate.layer_shape(index);
        let kernel = quantized(&layer.kernel, &weights.kernel, units);
        let bias = quantized(&layer.bias, &weights.bias, units);
        let mut sums = Vec::with_capacity(count * units);
        for row in values.chunks_exact(inputs) {
            match precision {
                ForwardPrecision::F32 => sums.extend(dense_f32(row, &kernel, &bias)),
                ForwardPrecision::F64 => sums.extend(dense_f64(row, &kernel, &bias)),
            }
        }
        if let Some(activation) = &layer.activation {
            let quantizer = &activation.quantizer;
            values = match precision {
                ForwardPrecision::F32 => {
                    let sums: Vec<f32> = sums.iter().map(|v| *v as f32).collect();
                    quantized(quantizer, &sums, units)
                        .into_iter()
                        .map(f64::from)
                        .collect()
                }
                ForwardPrecision::F64 => {
                    let mut out = vec![0f64; sums.len()];
                    quantizer.quantize_f64(&sums, &mut out);
                    out
                }
            };
        } else {
            values = sums;
        }
        outputs.push(values.clone());
    }
    outputs
}

fn quantized(quantizer: &Quantizer, x: &[f32], columns: usize) -> Vec<f32> {
    let mut y = vec![0f32; x.len()];
    quantizer.quantize(x, columns, &mut y);
    y
}

fn dense_f32(row: &[f64], kernel: &[f32], bias: &[f32]) -> Vec<f64> {
    let mut sums = vec![0f32; bias.len()];
    for (x, weights) in row.iter().zip(kernel.chunks_exact(bias.len())) {
        let x = *x as f32;
        for (sum, w) in sums.iter_mut().zip(weights) {
            *sum += x * w;
        }
    }
    sums.iter()
        .zip(bias)
        .map(|(sum, b)| f64::from(sum + b))
        .collect()
}

fn dense_f64(row: &[f64], kernel: &[f32], bias: &[f32]) -> Vec<f64> {
    let mut sums = vec![0f64; bias.len()];
    for (x, weights) in row.iter().zip(kernel.chunks_exact(bias.len())) {
        for (sum, w) in sums.iter_mut().zip(weights) {
            *sum += x * f64::from(*w);
        }
    }
    sums.iter()
        .zip(bias)
        .map(|(sum, b)| sum + f64::from(*b))
        .collect()
}
