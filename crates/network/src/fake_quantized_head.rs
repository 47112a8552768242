//! What a head makes of float outputs: the float twin of the integer softmax.
//!
//! The rule this module keeps: the entries of a softmax's tables are shared with the integer
//! program, for they are a definition; which entry is read and what is made of it is worked out here
//! on values.

use bitfront_kernel::exp;

use crate::{Candidate, Head, SoftmaxProgram, SoftmaxTables};

/// Probabilities of rows of outputs (`rows x outputs`, as [`forward`](crate::forward) gives them):
/// a softmax, by tables where the head has them; a logistic function of each output of a sigmoid
/// head; the outputs themselves of a linear one.
///
/// By tables the result equals [`IntegerProgram::probabilities`](crate::IntegerProgram::probabilities)
/// for logits that are at most 2^53 units apart.
///
/// # Panics
/// If `outputs` are not whole rows, or the candidate's graph has faults.
pub fn probabilities(candidate: &Candidate, outputs: &[f64]) -> Vec<f64> {
    let width = candidate.outputs();
    assert!(
        width > 0 && outputs.len().is_multiple_of(width),
        "{} values are whole rows of {width}",
        outputs.len()
    );
    match candidate.head {
        Head::Linear => outputs.to_vec(),
        Head::Sigmoid => outputs.iter().map(|x| logistic(*x)).collect(),
        Head::Softmax { tables: None } => outputs.chunks_exact(width).flat_map(softmax).collect(),
        Head::Softmax {
            tables: Some(tables),
        } => {
            let entries = SoftmaxProgram::new(tables, 0, width);
            let row = |row| softmax_by_tables(tables, &entries, row);
            outputs.chunks_exact(width).flat_map(row).collect()
        }
    }
}

fn logistic(x: f64) -> f64 {
    // The exponential of a magnitude never overflows.
    let small = exp(-x.abs());
    if x >= 0.0 {
        1.0 / (1.0 + small)
    } else {
        small / (1.0 + small)
    }
}

fn largest(row: &[f64]) -> f64 {
    row.iter().fold(f64::NEG_INFINITY, |most, x| most.max(*x))
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let most = largest(row);
    let exponentials: Vec<f64> = row.iter().map(|x| exp(x - most)).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| e / sum).collect()
}

fn softmax_by_tables(tables: SoftmaxTables, entries: &SoftmaxProgram, row: &[f64]) -> Vec<f64> {
    let power = |bits: u32| 2f64.powi(bits as i32);
    let most = largest(row);
    let last = power(tables.address_bits) - 1.0;
    let exponential = |x: &f64| {
        let address = ((most - x) * power(tables.address_fraction))
            .floor()
            .min(last);
        f64::from(entries.exp[address as usize]) / power(tables.exp_fraction)
    };
    let exponentials: Vec<f64> = row.iter().map(exponential).collect();
    let sum: f64 = exponentials.iter().sum();
    // Sums above one, in steps of a bucket.
    let step = power(entries.inverse_shift) / power(tables.exp_fraction);
    let bucket = ((sum - 1.0) / step).floor();
    let inverse = f64::from(entries.inverse[bucket as usize]) / power(tables.inverse_fraction);
    let unit = power(tables.output_fraction);
    exponentials
        .iter()
        .map(|e| ((e * inverse * unit).floor() / unit).min(1.0))
        .collect()
}
