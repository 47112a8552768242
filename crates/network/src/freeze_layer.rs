//! One layer of a candidate on its way to integers.

use bitfront_quantizer::{FrozenCodes, Quantizer, Role};

use crate::freeze::{LayerPlace, grid_of, reason_of};
use crate::freeze_activation::freeze_activation;
use crate::freeze_linear::LinearCodes;
use crate::{
    ActivationRule, Fold, FreezeError, Geometry, IntegerOperation, Interval, Layer, LayerWeights,
    Normalisation, Operation, Part, Taps, TensorFormat,
};

/// A layer's operation and the format of its values.
pub(crate) type Frozen = Result<(IntegerOperation, TensorFormat), FreezeError>;

/// A layer on its way to integers.
pub(crate) struct Freezing<'a> {
    pub(crate) layer: &'a Layer,
    pub(crate) weights: &'a LayerWeights,
    /// Formats of what it reads.
    pub(crate) sources: Vec<&'a TensorFormat>,
    /// Shape of its values.
    pub(crate) shape: Vec<usize>,
    pub(crate) scale_bits: u32,
}

impl Freezing<'_> {
    pub(crate) fn place(&self) -> LayerPlace<'_> {
        LayerPlace {
            name: &self.layer.name,
        }
    }

    /// The layer in integers.
    pub(crate) fn freeze(&self) -> Frozen {
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
            Operation::ChannelActivation { quantizers } => {
                let mut rules = Vec::with_capacity(quantizers.len());
                let mut output = self.as_input(&[]);
                for (channel, quantizer) in quantizers.iter().enumerate() {
                    let place = format!("{}[{channel}]", self.layer.name);
                    let grid = grid_of(&place, quantizer, Role::Activation)?;
                    let own = TensorFormat::uniform(
                        vec![1],
                        input.fraction[channel],
                        input.range[channel],
                    );
                    let (rule, range) = freeze_activation(quantizer, grid, &own);
                    rules.push(rule);
                    output.fraction[channel] = grid.0;
                    output.range.extend(range);
                }
                let rule = ActivationRule::Channels(rules);
                Ok((IntegerOperation::Activation(rule), output))
            }
        }
    }

    /// The window over the input.
    pub(crate) fn geometry(&self) -> Result<Geometry, FreezeError> {
        let operation = &self.layer.operation;
        operation
            .geometry(&self.sources[0].shape)
            .map_err(|reason| FreezeError::Shape {
                place: self.layer.name.clone(),
                reason,
            })
    }

    /// The input's fractions with other ranges, in this layer's shape.
    pub(crate) fn as_input(&self, range: &[Interval]) -> TensorFormat {
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

    pub(crate) fn normalisation(&self, epsilon: f32) -> Result<Normalisation<'_>, FreezeError> {
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
}
