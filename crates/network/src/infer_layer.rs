//! What each layer of an integer program computes, on blocks of rows in 64 bits.
//!
//! Values are row-major `rows x positions x channels`. Freezing proved that no sum passes 2^53.

use crate::{ActivationRule, Geometry, IntegerLayer, IntegerOperation, Linear, Taps, TensorFormat};

/// Appends a layer's values to `out`, which is empty; `sources` are whole rows with their formats.
pub(crate) fn evaluate(
    layer: &IntegerLayer,
    sources: &[(&TensorFormat, &[i64])],
    out: &mut Vec<i64>,
) {
    let (format, x) = sources[0];
    let channels = format.channels();
    match &layer.operation {
        IntegerOperation::Linear(linear) => run_linear(linear, format.size(), x, out),
        IntegerOperation::Separable {
            depthwise,
            between,
            pointwise,
        } => {
            let mut middle = Vec::new();
            run_linear(depthwise, format.size(), x, &mut middle);
            run_linear(pointwise, between.size(), &middle, out);
        }
        IntegerOperation::MaxPool(geometry) => {
            let most = |best: &mut i64, x: i64| *best = x.max(*best);
            pool(geometry, channels, x, i64::MIN, most, |_, _| (), out);
        }
        IntegerOperation::Mean {
            geometry,
            reciprocal,
        } => {
            let add = |sum: &mut i64, x: i64| *sum += x;
            let scale = |sums: &mut [i64], count: usize| {
                let factor = reciprocal[count];
                for sum in sums {
                    *sum *= factor;
                }
            };
            pool(geometry, channels, x, 0, add, scale, out);
        }
        IntegerOperation::Reshape => out.extend_from_slice(x),
        IntegerOperation::ZeroPadding { border } => pad(&format.shape, border, x, out),
        IntegerOperation::Affine {
            multiplier,
            product_shift,
            offset,
        } => {
            out.extend_from_slice(x);
            for row in out.chunks_exact_mut(channels) {
                for (c, value) in row.iter_mut().enumerate() {
                    *value = ((*value * multiplier[c]) << product_shift[c]) + offset[c];
                }
            }
        }
        IntegerOperation::Add { shift } => {
            out.resize(x.len(), 0);
            for ((_, x), shift) in sources.iter().zip(shift) {
                for (row, x) in out.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                    for ((sum, x), shift) in row.iter_mut().zip(x).zip(shift) {
                        *sum += x << shift;
                    }
                }
            }
        }
        IntegerOperation::Concatenate => {
            for position in 0..x.len() / channels {
                for (format, x) in sources {
                    let channels = format.channels();
                    out.extend_from_slice(&x[position * channels..(position + 1) * channels]);
                }
            }
        }
        IntegerOperation::Activation(rule) => activate(rule, format, x, out),
    }
}

fn activate(rule: &ActivationRule, format: &TensorFormat, x: &[i64], out: &mut Vec<i64>) {
    out.extend_from_slice(x);
    for row in out.chunks_exact_mut(format.channels()) {
        for (c, (value, fraction)) in row.iter_mut().zip(&format.fraction).enumerate() {
            *value = rule.apply(c, *value, *fraction);
        }
    }
}

/// Sums of products over rows of `size` values.
fn run_linear(linear: &Linear, size: usize, x: &[i64], out: &mut Vec<i64>) {
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    let positions = match linear.taps {
        Taps::Dense => size / inputs,
        Taps::Window(geometry) | Taps::Depthwise(geometry) => geometry.positions(),
    };
    let start = out.len();
    out.resize(start + x.len() / size * positions * outputs, 0);
    let sums = &mut out[start..];
    match linear.taps {
        Taps::Dense => {
            for (x, sums) in x.chunks_exact(inputs).zip(sums.chunks_exact_mut(outputs)) {
                add_products(linear, 0, x, sums);
            }
        }
        Taps::Window(geometry) => each_tap(&geometry, inputs, outputs, x, sums, |tap, x, sums| {
            add_products(linear, tap, x, sums);
        }),
        Taps::Depthwise(geometry) => {
            let multiplier = outputs / inputs;
            each_tap(&geometry, inputs, outputs, x, sums, |tap, x, sums| {
                let kernel = &linear.kernel[tap * outputs..(tap + 1) * outputs];
                let channels = sums
                    .chunks_exact_mut(multiplier)
                    .zip(kernel.chunks_exact(multiplier));
                for ((x, shift), (sums, kernel)) in x.iter().zip(&linear.input_shift).zip(channels)
                {
                    for (sum, k) in sums.iter_mut().zip(kernel) {
                        *sum += (x << shift) * k;
                    }
                }
            });
        }
    }
    for sums in sums.chunks_exact_mut(outputs) {
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum = ((*sum * linear.multiplier[j]) << linear.product_shift[j]) + linear.bias[j];
        }
    }
}

/// Adds the products of one position's inputs with the weights of a tap.
fn add_products(linear: &Linear, tap: usize, x: &[i64], sums: &mut [i64]) {
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    let kernel = &linear.kernel[tap * inputs * outputs..(tap + 1) * inputs * outputs];
    let rows = kernel.chunks_exact(outputs);
    for ((x, shift), row) in x.iter().zip(&linear.input_shift).zip(rows) {
        let x = x << shift;
        if x != 0 {
            for (sum, k) in sums.iter_mut().zip(row) {
                *sum += x * k;
            }
        }
    }
}

/// Calls `act` with each tap that is not in the border, its input channels and the output channels
/// of its position.
fn each_tap(
    geometry: &Geometry,
    inputs: usize,
    outputs: usize,
    x: &[i64],
    out: &mut [i64],
    mut act: impl FnMut(usize, &[i64], &mut [i64]),
) {
    let size = geometry.rows.input * geometry.columns.input * inputs;
    let rows = out.chunks_exact_mut(geometry.positions() * outputs);
    for (x, out) in x.chunks_exact(size).zip(rows) {
        for (position, out) in out.chunks_exact_mut(outputs).enumerate() {
            for tap in 0..geometry.taps() {
                if let Some(source) = geometry.source(position, tap) {
                    act(tap, &x[source * inputs..(source + 1) * inputs], out);
                }
            }
        }
    }
}

/// Joins the values under each window, channel by channel; `finish` is told how many there were.
fn pool(
    geometry: &Geometry,
    channels: usize,
    x: &[i64],
    start: i64,
    join: impl Fn(&mut i64, i64),
    finish: impl Fn(&mut [i64], usize),
    out: &mut Vec<i64>,
) {
    let size = geometry.rows.input * geometry.columns.input * channels;
    for x in x.chunks_exact(size) {
        for position in 0..geometry.positions() {
            let at = out.len();
            out.resize(at + channels, start);
            let values = &mut out[at..];
            let mut count = 0;
            for tap in 0..geometry.taps() {
                if let Some(source) = geometry.source(position, tap) {
                    count += 1;
                    let x = &x[source * channels..(source + 1) * channels];
                    for (value, x) in values.iter_mut().zip(x) {
                        join(value, *x);
                    }
                }
            }
            finish(values, count);
        }
    }
}

/// Zeros around the spatial axes of rows of shape `shape`.
fn pad(shape: &[usize], border: &[[usize; 2]], x: &[i64], out: &mut Vec<i64>) {
    let channels = shape.last().copied().unwrap_or(1);
    let (height, width) = match shape {
        [height, width, _] => (*height, *width),
        [width, _] => (1, *width),
        _ => (1, 1),
    };
    let (above, below) = match border {
        [rows, _] => (rows[0], rows[1]),
        _ => (0, 0),
    };
    let [left, right] = border.last().copied().unwrap_or([0, 0]);
    let line = (left + width + right) * channels;
    let zeros = |out: &mut Vec<i64>, count: usize| out.resize(out.len() + count, 0);
    for x in x.chunks_exact(height * width * channels) {
        zeros(out, above * line);
        for x in x.chunks_exact(width * channels) {
            zeros(out, left * channels);
            out.extend_from_slice(x);
            zeros(out, right * channels);
        }
        zeros(out, below * line);
    }
}
