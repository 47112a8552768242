//! Dense and convolution layers in integers: kernel codes, alignment of channels, exact intervals.

use bitfront_quantizer::FrozenCodes;

use crate::freeze::LayerPlace;
use crate::freeze_sum::{Sum, check_fraction, common_fraction, shift_to, shifted};
use crate::{Axis, FreezeError, Geometry, Interval, Linear, Taps, TensorFormat};

/// Codes of a layer's weights.
pub(crate) struct LinearCodes {
    /// Which inputs meet which weights.
    pub(crate) taps: Taps,
    /// Number of output channels.
    pub(crate) outputs: usize,
    /// Kernel, in the kernel's own order.
    pub(crate) kernel: FrozenCodes,
    /// Bias.
    pub(crate) bias: Option<FrozenCodes>,
}

impl LinearCodes {
    /// The layer in integers over an input of the given format, and the format of its accumulators
    /// (their shape is `shape`).
    ///
    /// # Errors
    /// [`FreezeError::TooWide`] with the output's name; [`FreezeError::NotExact`] for units that f64
    /// does not hold.
    pub(crate) fn freeze(
        mut self,
        place: &LayerPlace<'_>,
        input: &TensorFormat,
        shape: Vec<usize>,
    ) -> Result<(Linear, TensorFormat), FreezeError> {
        let (inputs, outputs) = (input.channels(), self.outputs);
        self.drop_zero_scales();
        let (input_fraction, input_shift) = self.align_inputs(input);
        let products = self.products(place, input, &input_shift)?;
        let mut linear = Linear {
            taps: self.taps,
            inputs,
            outputs,
            input_shift,
            kernel: Vec::new(),
            multiplier: Vec::with_capacity(outputs),
            product_shift: Vec::with_capacity(outputs),
            bias: Vec::with_capacity(outputs),
            accumulator_range: Vec::with_capacity(outputs),
        };
        let mut output = TensorFormat {
            shape,
            fraction: Vec::with_capacity(outputs),
            range: Vec::with_capacity(outputs),
        };
        for (j, sum) in products.iter().enumerate() {
            let kernel = column(&self.kernel, j);
            let product = (input_fraction[j] + kernel.fraction, !sum.is_zero());
            let offset = self.bias.as_ref().map(|bias| {
                let scale = column(bias, j);
                let value = bias.codes[j].saturating_mul(scale.multiplier);
                (value, scale.fraction)
            });
            let bias = offset.map_or(0, |(value, _)| value);
            let offset = offset.map(|(value, fraction)| (fraction, value != 0));
            let fraction = common_fraction(std::iter::once(product).chain(offset));
            let product_shift = shift_to(fraction, product);
            let bias_shift = offset.map_or(0, |offset| shift_to(fraction, offset));
            let finish = || {
                let mut sum = sum.scaled(kernel.multiplier, product_shift)?;
                let bias = shifted(bias, bias_shift)?;
                sum.add(bias, bias);
                Ok((bias as i64, sum.intervals()?))
            };
            let (bias, (partial, finished)) = finish().map_err(|bits| place.too_wide(j, bits))?;
            check_fraction(place.name, fraction)?;
            linear.multiplier.push(kernel.multiplier);
            linear.product_shift.push(product_shift);
            linear.bias.push(bias);
            linear.accumulator_range.push(partial);
            output.fraction.push(fraction);
            output.range.push(finished);
        }
        linear.kernel = self.kernel.codes;
        Ok((linear, output))
    }

    /// A column with the scale zero has codes of zero, so that nothing is multiplied for it.
    fn drop_zero_scales(&mut self) {
        for codes in std::iter::once(&mut self.kernel).chain(&mut self.bias) {
            let columns = codes.multiplier.len();
            for (at, code) in codes.codes.iter_mut().enumerate() {
                if codes.multiplier[at % columns] == 0 {
                    *code = 0;
                }
            }
            for (multiplier, fraction) in codes.multiplier.iter_mut().zip(&mut codes.fraction) {
                if *multiplier == 0 {
                    (*multiplier, *fraction) = (1, 0);
                }
            }
        }
    }

    /// The fraction at which each output reads its inputs, and the left shift of each input.
    fn align_inputs(&self, input: &TensorFormat) -> (Vec<i32>, Vec<u32>) {
        let (inputs, outputs) = (input.channels(), self.outputs);
        if let Taps::Depthwise(_) = self.taps {
            // An output reads one channel: nothing to align.
            let multiplier = (outputs / inputs.max(1)).max(1);
            let fraction = (0..outputs).map(|j| input.fraction[j / multiplier]);
            return (fraction.collect(), vec![0; inputs]);
        }
        let mut used = vec![false; inputs];
        for (row, weights) in self.kernel.codes.chunks_exact(outputs.max(1)).enumerate() {
            used[row % inputs] |= weights.iter().any(|k| *k != 0);
        }
        let part = |i: usize| {
            let asks = used[i] && input.range[i] != Interval::point(0);
            (input.fraction[i], asks)
        };
        let common = common_fraction((0..inputs).map(part));
        let shifts = (0..inputs).map(|i| shift_to(common, part(i)));
        (vec![common; outputs], shifts.collect())
    }

    /// Intervals of each output's sum of products of codes.
    fn products(
        &self,
        place: &LayerPlace<'_>,
        input: &TensorFormat,
        input_shift: &[u32],
    ) -> Result<Vec<Sum>, FreezeError> {
        let (inputs, outputs) = (input.channels(), self.outputs);
        let mut sums = vec![Sum::default(); outputs];
        let (taps, geometry, depthwise) = match self.taps {
            Taps::Dense => (1, None, false),
            Taps::Window(geometry) => (geometry.taps(), Some(geometry), false),
            Taps::Depthwise(geometry) => (geometry.taps(), Some(geometry), true),
        };
        let ends: Vec<Result<(i128, i128), u32>> = (0..inputs)
            .map(|i| {
                let Interval { lo, hi } = input.range[i];
                Ok((shifted(lo, input_shift[i])?, shifted(hi, input_shift[i])?))
            })
            .collect();
        let multiplier = (outputs / inputs.max(1)).max(1);
        for tap in 0..taps {
            let border = geometry.is_some_and(|geometry| in_border(&geometry, tap));
            let mut add = |i: usize, j: usize, k: i64| {
                if k == 0 {
                    return Ok(());
                }
                let (mut lo, mut hi) = ends[i].map_err(|bits| place.too_wide(j, bits))?;
                if border {
                    (lo, hi) = (lo.min(0), hi.max(0));
                }
                sums[j].add(lo * i128::from(k), hi * i128::from(k));
                Ok(())
            };
            if depthwise {
                let codes = &self.kernel.codes[tap * outputs..(tap + 1) * outputs];
                for (j, k) in codes.iter().enumerate() {
                    add(j / multiplier, j, *k)?;
                }
            } else {
                for i in 0..inputs {
                    let at = (tap * inputs + i) * outputs;
                    for (j, k) in self.kernel.codes[at..at + outputs].iter().enumerate() {
                        add(i, j, *k)?;
                    }
                }
            }
        }
        Ok(sums)
    }
}

/// The scale of a column.
struct Column {
    multiplier: i64,
    fraction: i32,
}

fn column(codes: &FrozenCodes, j: usize) -> Column {
    let at = j % codes.fraction.len();
    Column {
        multiplier: codes.multiplier[at],
        fraction: codes.fraction[at],
    }
}

/// Whether a tap lies in the border for any output. It moves steadily, so the first and the last
/// output tell.
fn in_border(geometry: &Geometry, tap: usize) -> bool {
    let outside = |axis: &Axis, tap: usize| {
        [0, axis.output - 1]
            .iter()
            .any(|output| axis.source(*output, tap).is_none())
    };
    let width = geometry.columns.size;
    outside(&geometry.rows, tap / width) || outside(&geometry.columns, tap % width)
}
