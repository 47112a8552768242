//! Kernels and biases of the integer program as numbers on one grid a tensor.

use bitfront_network::{Interval, Linear, Taps, TensorFormat};

use crate::scaled::Scaled;

/// An affine step behind a linear one, whose factors go into kernel and bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine<'a> {
    pub(crate) multiplier: &'a [i64],
    pub(crate) product_shift: &'a [u32],
    pub(crate) offset: &'a [i64],
    pub(crate) output: &'a TensorFormat,
}

/// Kernel, in the program's order, and bias of a linear step from `input` to `output`.
///
/// # Errors
/// Bits of a constant, where they are more than 62.
pub(crate) fn constants(
    linear: &Linear,
    input: &TensorFormat,
    output: &TensorFormat,
    affine: Option<Affine<'_>>,
) -> Result<(Scaled, Scaled), u32> {
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    let channel = |at: usize| match linear.taps {
        Taps::Depthwise(_) => (at % outputs) / (outputs / inputs),
        _ => at / outputs % inputs,
    };
    let factor = |j: usize| affine.map_or(1, |affine| affine.multiplier[j]);
    let codes = linear.kernel.iter().enumerate().map(|(at, code)| {
        // A channel that is always zero has any fraction, and no say.
        if input.range[channel(at)] == Interval::point(0) {
            return Ok(0);
        }
        let j = at % outputs;
        let wide = i128::from(*code) * i128::from(linear.multiplier[j]) * i128::from(factor(j));
        i64::try_from(wide).map_err(|_| 128 - wide.abs().leading_zeros())
    });
    let codes = codes.collect::<Result<Vec<i64>, u32>>()?;
    let kernel = Scaled::of(&codes, |at| {
        let (i, j) = (channel(at), at % outputs);
        let own = linear.input_shift[i] as i32 + linear.product_shift[j] as i32 + input.fraction[i];
        let (shift, fraction) = affine.map_or((0, output.fraction[j]), |affine| {
            let shift = affine.product_shift[j] as i32;
            (shift, affine.output.fraction[j])
        });
        own + shift - fraction
    })?;
    let Some(affine) = affine else {
        let bias = Scaled::of(&linear.bias, |j| -output.fraction[j])?;
        return Ok((kernel, bias));
    };
    let biases = linear.bias.iter().enumerate().map(|(j, bias)| {
        let product = i128::from(*bias) * i128::from(affine.multiplier[j]);
        let wide = (product << affine.product_shift[j].min(62)) + i128::from(affine.offset[j]);
        i64::try_from(wide).map_err(|_| 128 - wide.abs().leading_zeros())
    });
    let biases = biases.collect::<Result<Vec<i64>, u32>>()?;
    let bias = Scaled::of(&biases, |j| -affine.output.fraction[j])?;
    Ok((kernel, bias))
}
