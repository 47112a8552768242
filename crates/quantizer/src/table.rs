//! Slow monotone functions as tables of f32 thresholds, for tensors large enough to pay for one.
//!
//! The rule this module keeps: a threshold is the first f32 with the next value, found by bisection
//! of the function itself, so that a table gives the function's values bit for bit.

use crate::scalar::Scalar;
use crate::{Quantizer, Workspace};

/// Most values of a table.
const MOST_VALUES: usize = 1024;

/// Elements a value must serve.
const PAYS_FROM: usize = 64;

#[derive(Clone, Debug)]
pub(crate) struct Table {
    thresholds: Vec<f32>,
    values: Vec<f32>,
}

/// Quantizes by a table; whether there is one: kept from before, or worth making for this function and
/// length.
pub(crate) fn apply(
    quantizer: &Quantizer,
    scalar: &Scalar,
    x: &[f32],
    y: &mut [f32],
    memory: &mut Workspace,
) -> bool {
    let Some(most) = scalar.table_values() else {
        return false;
    };
    let pays = most <= MOST_VALUES && x.len() >= most * PAYS_FROM;
    let make = || pays.then(|| Table::of(|x| scalar.value(f64::from(x)) as f32));
    let Some(table) = memory.table(quantizer, make) else {
        return false;
    };
    for (y, x) in y.iter_mut().zip(x) {
        *y = if x.is_nan() {
            scalar.value(f64::NAN) as f32
        } else {
            table.values[table.thresholds.partition_point(|t| t <= x)]
        };
    }
    true
}

impl Table {
    fn of(value: impl Fn(f32) -> f32) -> Self {
        let (mut at, last) = (key(f32::MIN), key(f32::MAX));
        let mut table = Self {
            thresholds: Vec::new(),
            values: vec![value(f32::MIN)],
        };
        let top = value(f32::MAX);
        let mut current = table.values[0];
        while current != top {
            let (mut same, mut other) = (at, last);
            while other - same > 1 {
                let middle = same + (other - same) / 2;
                if value(float(middle)) == current {
                    same = middle;
                } else {
                    other = middle;
                }
            }
            at = other;
            current = value(float(at));
            table.thresholds.push(float(at));
            table.values.push(current);
        }
        table
    }
}

/// Floats in ascending order as whole numbers.
fn key(x: f32) -> i64 {
    let bits = x.to_bits().cast_signed();
    i64::from(if bits < 0 { bits ^ i32::MAX } else { bits })
}

fn float(key: i64) -> f32 {
    let bits = key as i32;
    f32::from_bits((if bits < 0 { bits ^ i32::MAX } else { bits }).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use crate::{Quantizer, Workspace};

    #[test]
    fn a_table_is_the_function() {
        for text in [
            "quantized_tanh(6,use_real_tanh=True)",
            "quantized_tanh(4,sigmoid='smooth')",
            "quantized_sigmoid(5,symmetric=True)",
            "quantized_sigmoid(8,use_real_sigmoid=True)",
            "quantized_ulaw(6,1)",
            "quantized_relu(5,1,1,0.25)",
            "quantized_relu(1,0,1,sigmoid='real')",
        ] {
            let q: Quantizer = text.parse().unwrap_or_else(|e| panic!("{e}"));
            let mut x: Vec<f32> = (0..70_000).map(|i| (i - 35_000) as f32 / 4_000.0).collect();
            x[..6].copy_from_slice(&[
                f32::NAN,
                f32::INFINITY,
                f32::NEG_INFINITY,
                -0.0,
                1e30,
                -1e-40,
            ]);
            let (mut y, mut memory) = (vec![0f32; x.len()], Workspace::default());
            q.quantize_in(&x, 1, &mut y, &mut memory);
            for (x, y) in x.iter().zip(&y) {
                let mut one = [0f32];
                q.quantize(&[*x], 1, &mut one);
                assert_eq!(y.to_bits(), one[0].to_bits(), "{text} of {x:?}");
                // A table that is there serves short tensors too.
                q.quantize_in(&[*x], 1, &mut one, &mut memory);
                assert_eq!(y.to_bits(), one[0].to_bits(), "{text} of {x:?}, kept");
            }
        }
    }
}
