//! From a trained candidate to its integer program, layer by layer.
//!
//! The rule this module keeps: an interval is computed in 128 bits from the actual codes and the
//! actual interval of each channel, and anything that passes 2^53 is refused by name.

use bitfront_quantizer::{FrozenCodes, NotExact, Quantizer, Role};

use crate::freeze_activation::freeze_activation;
use crate::freeze_linear::LinearCodes;
use crate::freeze_sum::{Sum, check_fraction, common_fraction, shift_to, shifted};
use crate::{
    Candidate, CandidateError, Constant, Fold, FreezeError, Geometry, IntegerLayer,
    IntegerOperation, IntegerProgram, Interval, Layer, LayerWeights, Normalisation, Operation,
    Part, Source, Taps, TensorFormat, Weights, reciprocal,
};

impl IntegerProgram {
    /// Freezes a candidate with its weights.
    ///
    /// # Errors
    /// [`FreezeError`] where the graph has a fault, a part has no exact integer form, weights have
    /// another shape or are not finite, or a sum may pass 2^53 units of its grid.
    pub fn freeze(candidate: &Candidate, weights: &Weights) -> Result<Self, FreezeError> {
        if let Err(faults) = candidate.check_shapes() {
            return Err(fault_of(&faults));
        }
        if let Some((place, reason)) = weights.shape_fault(candidate) {
            return Err(FreezeError::Shape { place, reason });
        }
        let (fraction, range) = grid_of("input", &candidate.input_quantizer, Role::Input)?;
        let input = TensorFormat::uniform(candidate.input_shape.clone(), fraction, range);
        let mut layers: Vec<IntegerLayer> = Vec::with_capacity(candidate.layers.len());
        let shapes = candidate.shapes();
        for (index, (layer, shape)) in candidate.layers.iter().zip(shapes).enumerate() {
            let sources = candidate.sources(index).unwrap_or_default();
            let formats = sources.iter().map(|source| match source {
                Source::Input => &input,
                Source::Layer(at) => &layers[*at].output,
            });
            let frozen = Freezing {
                layer,
                weights: &weights.layers[index],
                sources: formats.collect(),
                shape,
                scale_bits: candidate.scale_bits,
            };
            let (operation, output) = frozen.freeze()?;
            layers.push(IntegerLayer {
                name: layer.name.clone(),
                sources,
                operation,
                output,
            });
        }
        let mut program = Self {
            candidate: candidate.clone(),
            input,
            layers,
            output_fraction: 0,
        };
        program.output_fraction = program.freeze_outputs()?;
        Ok(program)
    }

    /// The finest fraction among the last layer's channels, at which every logit must fit.
    fn freeze_outputs(&self) -> Result<i32, FreezeError> {
        let last = self.layers.last().map_or(&self.input, |last| &last.output);
        let parts = || parts(last);
        let common = common_fraction(parts());
        let place = LayerPlace {
            name: self.layers.last().map_or("network", |last| &last.name),
        };
        for (channel, (part, range)) in parts().zip(&last.range).enumerate() {
            let shift = shift_to(common, part);
            for end in [range.lo, range.hi] {
                shifted(end, shift).map_err(|bits| place.too_wide(channel, bits))?;
            }
        }
        Ok(common)
    }
}

/// Names a layer in errors.
#[derive(Clone, Copy)]
pub(crate) struct LayerPlace<'a> {
    /// The layer's name.
    pub(crate) name: &'a str,
}

impl LayerPlace<'_> {
    /// An output channel that passes 2^53.
    pub(crate) fn too_wide(&self, channel: usize, bits: u32) -> FreezeError {
        FreezeError::TooWide {
            place: format!("{} output {channel}", self.name),
            bits,
        }
    }

    fn not_exact(&self, part: Option<Part>, reason: impl Into<String>) -> FreezeError {
        let name = self.name;
        FreezeError::NotExact {
            place: part.map_or_else(|| name.into(), |part| format!("{name}.{part}")),
            reason: reason.into(),
        }
    }
}

fn fault_of(faults: &[CandidateError]) -> FreezeError {
    let (place, reason) = match faults.first() {
        Some(CandidateError::Shape { place, problem }) => (place.clone(), problem.clone()),
        Some(CandidateError::NotExact { place, source }) => (place.clone(), source.to_string()),
        None => ("network".into(), "has a fault".into()),
    };
    FreezeError::Shape { place, reason }
}

fn reason_of(error: &NotExact) -> String {
    format!("{}: {}", error.quantizer, error.reason)
}

/// Fraction and range of a quantizer's grid.
fn grid_of(place: &str, quantizer: &Quantizer, role: Role) -> Result<(i32, Interval), FreezeError> {
    let checked = quantizer.check_exact(role);
    let grid = checked.and_then(|()| quantizer.grid(role)).map_err(|e| {
        let place = LayerPlace { name: place };
        place.not_exact(None, reason_of(&e))
    })?;
    check_fraction(place, grid.fraction)?;
    let (lo, hi) = (grid.lo, grid.hi);
    Ok((grid.fraction, Interval { lo, hi }))
}

/// Fraction of each channel, and whether it asks for its bits (it is not always zero).
fn parts(format: &TensorFormat) -> impl Iterator<Item = (i32, bool)> {
    let channels = format.fraction.iter().zip(&format.range);
    channels.map(|(fraction, range)| (*fraction, *range != Interval::point(0)))
}

type Frozen = Result<(IntegerOperation, TensorFormat), FreezeError>;

/// A layer on its way to integers.
struct Freezing<'a> {
    layer: &'a Layer,
    weights: &'a LayerWeights,
    sources: Vec<&'a TensorFormat>,
    /// Shape of its values.
    shape: Vec<usize>,
    scale_bits: u32,
}

impl Freezing<'_> {
    fn place(&self) -> LayerPlace<'_> {
        LayerPlace {
            name: &self.layer.name,
        }
    }

    fn freeze(&self) -> Frozen {
        let input = self.sources[0];
        match &self.layer.operation {
            Operation::Dense {
                units,
                kernel,
                bias,
                fold,
            } => self.linear(
                Taps::Dense,
                *units,
                (kernel, *units),
                bias.as_ref(),
                fold.as_ref(),
            ),
            Operation::Conv {
                filters,
                kernel,
                bias,
                fold,
                ..
            } => {
                let taps = Taps::Window(self.geometry()?);
                self.linear(
                    taps,
                    *filters,
                    (kernel, *filters),
                    bias.as_ref(),
                    fold.as_ref(),
                )
            }
            Operation::DepthwiseConv {
                multiplier,
                kernel,
                bias,
                fold,
                ..
            } => {
                let taps = Taps::Depthwise(self.geometry()?);
                let outputs = input.channels() * multiplier;
                self.linear(
                    taps,
                    outputs,
                    (kernel, *multiplier),
                    bias.as_ref(),
                    fold.as_ref(),
                )
            }
            Operation::SeparableConv { .. } => self.separable(),
            Operation::MaxPool { .. } => Ok((
                IntegerOperation::MaxPool(self.geometry()?),
                self.as_input(&input.range),
            )),
            Operation::AveragePool {
                reciprocal_bits, ..
            }
            | Operation::GlobalAveragePool { reciprocal_bits } => self.mean(*reciprocal_bits),
            Operation::Flatten => {
                let positions = self.shape[0] / input.channels().max(1);
                let output = TensorFormat {
                    shape: self.shape.clone(),
                    fraction: input.fraction.repeat(positions),
                    range: input.range.repeat(positions),
                };
                Ok((IntegerOperation::Reshape, output))
            }
            Operation::Dropout { .. } => {
                Ok((IntegerOperation::Reshape, self.as_input(&input.range)))
            }
            Operation::ZeroPadding { border } => {
                let ranges: Vec<Interval> = if border.iter().flatten().any(|n| *n > 0) {
                    let zero = Interval::point(0);
                    input.range.iter().map(|range| range.hull(zero)).collect()
                } else {
                    input.range.clone()
                };
                let border = border.clone();
                let operation = IntegerOperation::ZeroPadding { border };
                Ok((operation, self.as_input(&ranges)))
            }
            Operation::BatchNorm {
                epsilon,
                scale_bits,
                offset_bits,
                ..
            } => self.affine(*epsilon, *scale_bits, *offset_bits),
            Operation::Add => self.add(),
            Operation::Concatenate => {
                let channels = self.sources.iter();
                let output = TensorFormat {
                    shape: self.shape.clone(),
                    fraction: channels.clone().flat_map(|s| s.fraction.clone()).collect(),
                    range: channels.flat_map(|s| s.range.clone()).collect(),
                };
                Ok((IntegerOperation::Concatenate, output))
            }
            Operation::Activation { quantizer } => {
                let grid = grid_of(&self.layer.name, quantizer, Role::Activation)?;
                let (rule, range) = freeze_activation(quantizer, grid, input);
                let output = TensorFormat {
                    shape: self.shape.clone(),
                    fraction: vec![grid.0; range.len()],
                    range,
                };
                Ok((IntegerOperation::Activation(rule), output))
            }
        }
    }

    /// The window over the input.
    fn geometry(&self) -> Result<Geometry, FreezeError> {
        let operation = &self.layer.operation;
        operation
            .geometry(&self.sources[0].shape)
            .map_err(|reason| FreezeError::Shape {
                place: self.layer.name.clone(),
                reason,
            })
    }

    /// The input's fractions with other ranges, in this layer's shape.
    fn as_input(&self, range: &[Interval]) -> TensorFormat {
        TensorFormat {
            shape: self.shape.clone(),
            fraction: self.sources[0].fraction.clone(),
            range: range.to_vec(),
        }
    }

    fn codes(
        &self,
        part: Part,
        quantizer: &Quantizer,
        values: &[f32],
        columns: usize,
    ) -> Result<FrozenCodes, FreezeError> {
        let role = if part == Part::Bias {
            Role::Bias
        } else {
            Role::Kernel
        };
        quantizer
            .codes_frozen(role, values, columns, self.scale_bits)
            .map_err(|e| self.place().not_exact(Some(part), reason_of(&e)))
    }

    fn normalisation(&self, epsilon: f32) -> Result<Normalisation<'_>, FreezeError> {
        Normalisation::of(self.weights, epsilon)
            .map_err(|reason| self.place().not_exact(None, reason))
    }

    /// Dense, convolution and depthwise layers; `kernel` comes with the columns of its scales.
    fn linear(
        &self,
        taps: Taps,
        outputs: usize,
        (kernel, columns): (&Quantizer, usize),
        bias: Option<&Quantizer>,
        fold: Option<&Fold>,
    ) -> Frozen {
        let own_bias = bias.map(|_| self.weights.part(Part::Bias));
        let own_kernel = self.weights.part(Part::Kernel);
        let folded = match fold {
            Some(fold) => Some(self.normalisation(fold.epsilon)?.fold(own_kernel, own_bias)),
            None => None,
        };
        let (kernel_values, bias_values) = match &folded {
            Some((kernel, bias)) => (kernel.as_slice(), Some(bias.as_slice())),
            None => (own_kernel, own_bias),
        };
        let kernel = self.codes(Part::Kernel, kernel, kernel_values, columns)?;
        let bias = match (bias, bias_values) {
            (Some(bias), Some(values)) => Some(self.codes(Part::Bias, bias, values, outputs)?),
            (None, Some(_)) => {
                let reason = "folding makes a bias, which needs a quantizer";
                return Err(self.place().not_exact(Some(Part::Bias), reason));
            }
            (_, None) => None,
        };
        let codes = LinearCodes {
            taps,
            outputs,
            kernel,
            bias,
        };
        let (linear, output) = codes.freeze(&self.place(), self.sources[0], self.shape.clone())?;
        Ok((IntegerOperation::Linear(linear), output))
    }

    fn separable(&self) -> Frozen {
        let Operation::SeparableConv {
            filters,
            multiplier,
            depthwise_kernel,
            pointwise_kernel,
            bias,
            ..
        } = &self.layer.operation
        else {
            return Err(self.place().not_exact(None, "it is not separable"));
        };
        let input = self.sources[0];
        let part = |part, quantizer, columns| {
            self.codes(part, quantizer, self.weights.part(part), columns)
        };
        let first = LinearCodes {
            taps: Taps::Depthwise(self.geometry()?),
            outputs: input.channels() * multiplier,
            kernel: part(Part::DepthwiseKernel, depthwise_kernel, *multiplier)?,
            bias: None,
        };
        let mut shape = self.shape.clone();
        if let Some(channels) = shape.last_mut() {
            *channels = first.outputs;
        }
        let name = format!("{} depthwise step", self.layer.name);
        let (depthwise, between) = first.freeze(&LayerPlace { name: &name }, input, shape)?;
        let bias = bias.as_ref().map(|bias| part(Part::Bias, bias, *filters));
        let second = LinearCodes {
            taps: Taps::Dense,
            outputs: *filters,
            kernel: part(Part::PointwiseKernel, pointwise_kernel, *filters)?,
            bias: bias.transpose()?,
        };
        let (pointwise, output) = second.freeze(&self.place(), &between, self.shape.clone())?;
        let operation = IntegerOperation::Separable {
            depthwise,
            between,
            pointwise,
        };
        Ok((operation, output))
    }

    fn mean(&self, bits: u32) -> Frozen {
        let (geometry, input) = (self.geometry()?, self.sources[0]);
        let (reciprocal, fraction) = reciprocals(&geometry, bits);
        let occurring = || reciprocal.iter().enumerate().filter(|(_, r)| **r != 0);
        let mut output = self.as_input(&[]);
        for (channel, range) in input.range.iter().enumerate() {
            output.fraction[channel] += fraction;
            check_fraction(&self.layer.name, output.fraction[channel])?;
            let of = |(count, factor): (usize, &i64)| {
                let mut sum = Sum::default();
                let end = |v: i64| i128::from(v) * count as i128;
                sum.add(end(range.lo), end(range.hi));
                sum.scaled(*factor, 0)?.intervals()
            };
            let mut all: Option<Interval> = None;
            for one in occurring().map(of) {
                let (_, range) = one.map_err(|bits| self.place().too_wide(channel, bits))?;
                all = Some(all.map_or(range, |all| all.hull(range)));
            }
            output.range.push(all.unwrap_or(Interval::point(0)));
        }
        let operation = IntegerOperation::Mean {
            geometry,
            reciprocal,
        };
        Ok((operation, output))
    }

    fn affine(&self, epsilon: f32, scale_bits: u32, offset_bits: u32) -> Frozen {
        let input = self.sources[0];
        let frozen = self.normalisation(epsilon)?.freeze(scale_bits, offset_bits);
        let mut output = self.as_input(&[]);
        let (mut multiplier, mut shifts, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
        let constants = frozen.scale.into_iter().zip(frozen.offset);
        for (channel, (scale, offset)) in constants.enumerate() {
            let range = input.range[channel];
            let mut sum = Sum::default();
            let end = |v: i64| i128::from(v) * i128::from(scale.mantissa);
            sum.add(end(range.lo), end(range.hi));
            let asks = |constant: Constant| constant.mantissa != 0;
            let product = (input.fraction[channel] - scale.exponent, !sum.is_zero());
            let moved = (-offset.exponent, asks(offset));
            let fraction = common_fraction([product, moved].into_iter());
            let shift = shift_to(fraction, product);
            let finish = || {
                let offset = shifted(offset.mantissa, shift_to(fraction, moved))?;
                let mut sum = sum.scaled(1, shift)?;
                sum.add(offset, offset);
                Ok((offset as i64, sum.intervals()?.1))
            };
            let (offset, range) = finish().map_err(|bits| self.place().too_wide(channel, bits))?;
            check_fraction(&self.layer.name, fraction)?;
            output.fraction[channel] = fraction;
            output.range.push(range);
            multiplier.push(scale.mantissa);
            shifts.push(shift);
            offsets.push(offset);
        }
        let operation = IntegerOperation::Affine {
            multiplier,
            product_shift: shifts,
            offset: offsets,
        };
        Ok((operation, output))
    }

    fn add(&self) -> Frozen {
        let mut output = self.as_input(&[]);
        let mut shift: Vec<Vec<u32>> = vec![Vec::new(); self.sources.len()];
        for channel in 0..self.sources[0].channels() {
            let part = |source: &TensorFormat| {
                let asks = source.range[channel] != Interval::point(0);
                (source.fraction[channel], asks)
            };
            let common = common_fraction(self.sources.iter().map(|source| part(source)));
            let mut sum = Sum::default();
            for (source, shift) in self.sources.iter().zip(&mut shift) {
                let left = shift_to(common, part(source));
                let end =
                    |v: i64| shifted(v, left).map_err(|bits| self.place().too_wide(channel, bits));
                sum.add(
                    end(source.range[channel].lo)?,
                    end(source.range[channel].hi)?,
                );
                shift.push(left);
            }
            let intervals = sum.intervals();
            let (_, range) = intervals.map_err(|bits| self.place().too_wide(channel, bits))?;
            output.fraction[channel] = common;
            output.range.push(range);
        }
        Ok((IntegerOperation::Add { shift }, output))
    }
}

/// Reciprocals of the counts of elements that windows have inside, by count (0 where a count does
/// not occur), and the fraction bits they have in common.
pub(crate) fn reciprocals(geometry: &Geometry, bits: u32) -> (Vec<i64>, i32) {
    let mut by_count = vec![0i64; geometry.taps() + 1];
    let counts = |axis: &crate::Axis| {
        let inside = |o| {
            (0..axis.size)
                .filter(|t| axis.source(o, *t).is_some())
                .count()
        };
        let mut counts: Vec<usize> = (0..axis.output).map(inside).collect();
        counts.sort_unstable();
        counts.dedup();
        counts
    };
    let columns = counts(&geometry.columns);
    let mut constants = Vec::new();
    for rows in counts(&geometry.rows) {
        for columns in &columns {
            constants.push((rows * columns, reciprocal(rows * columns, bits)));
        }
    }
    let fraction = constants
        .iter()
        .map(|(_, c)| -c.exponent)
        .max()
        .unwrap_or(0);
    for (count, constant) in constants {
        let shift = (fraction + constant.exponent).unsigned_abs();
        by_count[count] = constant.mantissa << shift;
    }
    (by_count, fraction)
}
