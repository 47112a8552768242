//! From a trained candidate to its integer program: codes, alignments and exact intervals.
//!
//! The rule this module keeps: an interval is computed in 128 bits from the actual codes and the
//! actual interval of each input, and anything that passes 2^53 is refused by name.

use bitfront_quantizer::{Codes, NotExact, Quantizer, Role};

use crate::{
    ActivationRule, Candidate, FreezeError, IntegerLayer, IntegerProgram, Interval, Layer,
    LayerWeights, TensorFormat, Weights,
};

/// Largest magnitude of a sum.
const LARGEST_SUM: i128 = 1 << 53;

impl IntegerProgram {
    /// Freezes a candidate with its weights.
    ///
    /// # Errors
    /// [`FreezeError`] where a part has no exact integer form, weights have another shape or are
    /// not finite, or a sum may pass 2^53 units of its grid.
    pub fn freeze(candidate: &Candidate, weights: &Weights) -> Result<Self, FreezeError> {
        if let Some((place, reason)) = weights.shape_fault(candidate) {
            return Err(FreezeError::Shape { place, reason });
        }
        let input = format_of("input", &candidate.input_quantizer, Role::Input)?;
        let mut format = input;
        let mut intervals = vec![input.range; candidate.inputs];
        let mut layers = Vec::with_capacity(candidate.layers.len());
        for (layer, weights) in candidate.layers.iter().zip(&weights.layers) {
            let (frozen, outputs) = freeze_layer(layer, weights, format, &intervals)?;
            format = frozen.output;
            intervals = outputs;
            layers.push(frozen);
        }
        Ok(Self {
            candidate: candidate.clone(),
            input,
            layers,
        })
    }
}

fn not_exact(place: &str, error: &NotExact) -> FreezeError {
    FreezeError::NotExact {
        place: place.into(),
        reason: format!("{}: {}", error.quantizer, error.reason),
    }
}

fn format_of(place: &str, quantizer: &Quantizer, role: Role) -> Result<TensorFormat, FreezeError> {
    quantizer
        .check_exact(role)
        .map_err(|e| not_exact(place, &e))?;
    let grid = quantizer.grid(role).map_err(|e| not_exact(place, &e))?;
    Ok(TensorFormat {
        fraction: grid.fraction,
        range: Interval {
            lo: grid.lo,
            hi: grid.hi,
        },
    })
}

/// One layer, and the interval of each of its outputs.
fn freeze_layer(
    layer: &Layer,
    weights: &LayerWeights,
    input: TensorFormat,
    intervals: &[Interval],
) -> Result<(IntegerLayer, Vec<Interval>), FreezeError> {
    let outputs = layer.units;
    let codes = |part: &str, quantizer: &Quantizer, role: Role, values: &[f32]| {
        let place = format!("{}.{part}", layer.name);
        quantizer
            .codes(role, values, outputs)
            .map_err(|e| not_exact(&place, &e))
    };
    let kernel = codes("kernel", &layer.kernel, Role::Kernel, &weights.kernel)?;
    let bias = codes("bias", &layer.bias, Role::Bias, &weights.bias)?;

    let mut frozen = IntegerLayer {
        name: layer.name.clone(),
        inputs: intervals.len(),
        outputs,
        input,
        kernel: Vec::new(),
        bias: Vec::new(),
        product_shift: Vec::with_capacity(outputs),
        bias_shift: Vec::with_capacity(outputs),
        accumulator_fraction: Vec::with_capacity(outputs),
        accumulator_range: Vec::with_capacity(outputs),
        result_range: Vec::with_capacity(outputs),
        activation: None,
        output: input,
    };
    for j in 0..outputs {
        let place = format!("{} output {j}", layer.name);
        let column = Column::align(&kernel, &bias, j, outputs, input.fraction);
        let too_wide = |bits| FreezeError::TooWide {
            place: place.clone(),
            bits,
        };
        let (partial, result) = column
            .intervals(
                intervals,
                kernel.codes.iter().skip(j).step_by(outputs),
                bias.codes[j],
            )
            .map_err(too_wide)?;
        frozen.product_shift.push(column.product_shift);
        frozen.bias_shift.push(column.bias_shift);
        frozen.accumulator_fraction.push(column.fraction);
        frozen.accumulator_range.push(partial);
        frozen.result_range.push(result);
    }
    frozen.kernel = kernel.codes;
    frozen.bias = bias.codes;
    let ranges = match &layer.activation {
        Some(activation) => activate(&mut frozen, &activation.name, &activation.quantizer)?,
        None => common_fraction(&mut frozen)?,
    };
    Ok((frozen, ranges))
}

/// How one output's products and bias come to a common fraction.
struct Column {
    fraction: i32,
    product_shift: u32,
    bias_shift: u32,
}

impl Column {
    /// Aligns output `j`; a part whose codes are all zero asks for no bits.
    fn align(kernel: &Codes, bias: &Codes, j: usize, outputs: usize, input_fraction: i32) -> Self {
        let of = |codes: &Codes| codes.fraction[j % codes.fraction.len()];
        let product = input_fraction + of(kernel);
        let offset = of(bias);
        let any_product = kernel
            .codes
            .iter()
            .skip(j)
            .step_by(outputs)
            .any(|k| *k != 0);
        let any_bias = bias.codes[j] != 0;
        let fraction = match (any_product, any_bias) {
            (true, true) => product.max(offset),
            (true, false) => product,
            (false, true) => offset,
            (false, false) => product.min(offset),
        };
        Self {
            fraction,
            product_shift: if any_product {
                fraction.abs_diff(product)
            } else {
                0
            },
            bias_shift: if any_bias {
                fraction.abs_diff(offset)
            } else {
                0
            },
        }
    }

    /// Intervals of all partial sums in any order and of the finished sum, or the bits needed.
    fn intervals<'a>(
        &self,
        inputs: &[Interval],
        kernel: impl Iterator<Item = &'a i64>,
        bias: i64,
    ) -> Result<(Interval, Interval), u32> {
        let (mut lo, mut hi, mut least, mut most) = (0i128, 0i128, 0i128, 0i128);
        for (x, k) in inputs.iter().zip(kernel) {
            let k = i128::from(*k);
            let (a, b) = (k * i128::from(x.lo), k * i128::from(x.hi));
            let (down, up) = (a.min(b), a.max(b));
            lo += down;
            hi += up;
            least += down.min(0);
            most += up.max(0);
        }
        let products = bits(least, most) + self.product_shift;
        let offset = bits(i128::from(bias), i128::from(bias)) + self.bias_shift;
        let needed = products.max(offset);
        if needed > 62 {
            return Err(needed);
        }
        let bias = i128::from(bias) << self.bias_shift;
        let shifted = |v: i128| v << self.product_shift;
        let (least, most) = (shifted(least) + bias.min(0), shifted(most) + bias.max(0));
        let result = (shifted(lo) + bias, shifted(hi) + bias);
        if -least > LARGEST_SUM || most > LARGEST_SUM {
            return Err(bits(least, most));
        }
        let interval = |lo: i128, hi: i128| Interval {
            lo: lo as i64,
            hi: hi as i64,
        };
        Ok((interval(least, most), interval(result.0, result.1)))
    }
}

/// Bits of the two's-complement number that holds both.
fn bits(lo: i128, hi: i128) -> u32 {
    let magnitude = |v: i128| 128 - (if v < 0 { !v } else { v }).leading_zeros();
    1 + magnitude(lo).max(magnitude(hi))
}

/// Sets a hidden layer's rule and output format; returns the interval of each output.
fn activate(
    layer: &mut IntegerLayer,
    place: &str,
    quantizer: &Quantizer,
) -> Result<Vec<Interval>, FreezeError> {
    layer.output = format_of(place, quantizer, Role::Activation)?;
    if quantizer.is_uniform() {
        let rule = ActivationRule::Uniform;
        let ranges = (0..layer.outputs)
            .map(|j| {
                let code = |v| rule.apply(j, v, layer.accumulator_fraction[j], layer.output);
                let Interval { lo, hi } = layer.result_range[j];
                Interval {
                    lo: code(lo),
                    hi: code(hi),
                }
            })
            .collect();
        layer.activation = Some(rule);
        return Ok(ranges);
    }
    let (mut thresholds, mut codes, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
    for j in 0..layer.outputs {
        let Interval { lo, hi } = layer.result_range[j];
        let steps = quantizer
            .step_function(layer.accumulator_fraction[j], lo, hi)
            .map_err(|e| not_exact(place, &e))?;
        let (lo, hi) = steps
            .codes
            .iter()
            .fold((i64::MAX, i64::MIN), |(lo, hi), code| {
                (lo.min(*code), hi.max(*code))
            });
        ranges.push(Interval { lo, hi });
        thresholds.push(steps.thresholds);
        codes.push(steps.codes);
    }
    layer.activation = Some(ActivationRule::Steps { thresholds, codes });
    Ok(ranges)
}

/// Sets the logits' format: every output shifted left to the finest fraction among them.
fn common_fraction(layer: &mut IntegerLayer) -> Result<Vec<Interval>, FreezeError> {
    let fraction = layer
        .accumulator_fraction
        .iter()
        .copied()
        .max()
        .unwrap_or(0);
    let mut ranges = Vec::with_capacity(layer.outputs);
    for (j, range) in layer.result_range.iter().enumerate() {
        let shift = fraction.abs_diff(layer.accumulator_fraction[j]);
        let (lo, hi) = (i128::from(range.lo), i128::from(range.hi));
        let needed = bits(lo, hi) + shift;
        let place = format!("{} output {j}", layer.name);
        if (lo, hi) == (0, 0) {
            ranges.push(*range);
        } else if needed > 54 {
            return Err(FreezeError::TooWide {
                place,
                bits: needed,
            });
        } else {
            ranges.push(Interval {
                lo: range.lo << shift,
                hi: range.hi << shift,
            });
        }
    }
    let lo = ranges.iter().map(|r| r.lo).min().unwrap_or(0);
    let hi = ranges.iter().map(|r| r.hi).max().unwrap_or(0);
    layer.output = TensorFormat {
        fraction,
        range: Interval { lo, hi },
    };
    Ok(ranges)
}
