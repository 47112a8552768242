//! What a layer computes, the shape of its result and the weights it needs.
//!
//! The rule this module keeps: every field is written out (no defaults; only what is `null` may be
//! left out when it is read), so equal layers have equal JSON; the search file is where defaults
//! live.

use std::fmt;

use bitfront_quantizer::{Quantizer, Role};
use serde::{Deserialize, Serialize};

use crate::geometry::{Geometry, Window};

/// What a layer computes. Tensors are channels-last; "channel" means the last axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// `x * kernel + bias` over the last axis.
    Dense {
        /// Number of outputs.
        units: usize,
        /// Quantizer of the kernel (`inputs x units`); scales may differ by unit.
        kernel: Quantizer,
        /// Quantizer of the bias (`units`); `None`: no bias.
        bias: Option<Quantizer>,
        /// Batch normalisation folded into kernel and bias before they are quantized.
        fold: Option<Fold>,
    },
    /// Convolution in one or two dimensions.
    Conv {
        /// Number of output channels.
        filters: usize,
        /// Window; one entry an axis.
        window: Window,
        /// Quantizer of the kernel (`taps x inputs x filters`); scales may differ by filter.
        kernel: Quantizer,
        /// Quantizer of the bias (`filters`); `None`: no bias.
        bias: Option<Quantizer>,
        /// Batch normalisation folded into kernel and bias before they are quantized.
        fold: Option<Fold>,
    },
    /// A convolution of each channel alone: output channel `c * multiplier + m`.
    DepthwiseConv {
        /// Outputs a channel.
        multiplier: usize,
        /// Window; one entry an axis.
        window: Window,
        /// Quantizer of the kernel (`taps x channels x multiplier`); scales may differ along the
        /// last axis, as in the original.
        kernel: Quantizer,
        /// Quantizer of the bias (`channels * multiplier`); `None`: no bias.
        bias: Option<Quantizer>,
        /// Batch normalisation folded into kernel and bias before they are quantized.
        fold: Option<Fold>,
    },
    /// A depthwise convolution followed by a convolution with a window of 1, nothing rounded
    /// between them.
    SeparableConv {
        /// Number of output channels.
        filters: usize,
        /// Outputs a channel of the depthwise step.
        multiplier: usize,
        /// Window of the depthwise step.
        window: Window,
        /// Quantizer of the depthwise kernel (`taps x channels x multiplier`).
        depthwise_kernel: Quantizer,
        /// Quantizer of the pointwise kernel (`channels * multiplier x filters`).
        pointwise_kernel: Quantizer,
        /// Quantizer of the bias (`filters`); `None`: no bias.
        bias: Option<Quantizer>,
    },
    /// Largest value in each window, channel by channel.
    MaxPool {
        /// Window; `dilation` 1.
        window: Window,
    },
    /// Mean of each window, channel by channel; border elements do not count.
    AveragePool {
        /// Window; `dilation` 1.
        window: Window,
        /// Significant bits of the reciprocal of a count that is no power of two, 1 to 24.
        reciprocal_bits: u32,
    },
    /// Mean over all positions, channel by channel: `[channels]`.
    GlobalAveragePool {
        /// Significant bits of the reciprocal of a count that is no power of two, 1 to 24.
        reciprocal_bits: u32,
    },
    /// The same values in one axis.
    Flatten,
    /// Zeros around the spatial axes.
    ZeroPadding {
        /// Elements before and after each spatial axis.
        border: Vec<[usize; 2]>,
    },
    /// `gamma * (x - mean) / sqrt(variance + epsilon) + beta`, channel by channel. At freeze it
    /// becomes an integer multiplier and an integer offset a channel.
    BatchNorm {
        /// Added to the variance.
        epsilon: f32,
        /// Share of the running statistics that an update keeps.
        momentum: f32,
        /// Significant bits of each channel's multiplier: 1 is a power of two (a shift), up to 24.
        scale_bits: u32,
        /// Significant bits of each channel's offset, 1 to 24.
        offset_bits: u32,
    },
    /// Sum of two or more tensors of one shape.
    Add,
    /// Tensors put side by side along the channels.
    Concatenate,
    /// A quantizer; it is the whole of the activation: `quantized_relu` rectifies, `quantized_bits`
    /// does not, `relu` is the float rectifier.
    Activation {
        /// Quantizer of the values that reach the next layers.
        quantizer: Quantizer,
    },
    /// A quantizer for each channel alone, as an activation layer otherwise: what learned bit widths
    /// end in.
    ChannelActivation {
        /// Quantizer of each channel's values, the channels in order.
        quantizers: Vec<Quantizer>,
    },
    /// Zeroes values at random in training; nothing at evaluation.
    Dropout {
        /// Share that is zeroed, at least 0 and below 1.
        rate: f32,
    },
}

/// Batch normalisation that is folded into the weights before they are quantized (as the original's
/// `QDenseBatchnorm`): `kernel * gamma / sqrt(variance + epsilon)`. Folding makes a bias, so a folded
/// layer has a bias quantizer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// Added to the variance.
    pub epsilon: f32,
    /// Share of the running statistics that an update keeps.
    pub momentum: f32,
}

/// A tensor of weights within a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Kernel of a dense, convolution or depthwise layer.
    Kernel,
    /// Kernel of a separable layer's depthwise step.
    DepthwiseKernel,
    /// Kernel of a separable layer's pointwise step.
    PointwiseKernel,
    /// Bias.
    Bias,
    /// Scale of a batch normalisation.
    Gamma,
    /// Offset of a batch normalisation.
    Beta,
    /// Running mean of a batch normalisation.
    Mean,
    /// Running variance of a batch normalisation.
    Variance,
}

impl Part {
    /// Name in files and rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::DepthwiseKernel => "depthwise_kernel",
            Self::PointwiseKernel => "pointwise_kernel",
            Self::Bias => "bias",
            Self::Gamma => "gamma",
            Self::Beta => "beta",
            Self::Mean => "mean",
            Self::Variance => "variance",
        }
    }

    /// Whether training moves it by its gradient (running statistics are not).
    pub fn is_trained(self) -> bool {
        !matches!(self, Self::Mean | Self::Variance)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The place of a quantizer within a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The weights it stands on; `None` for the values of an activation layer.
    pub part: Option<Part>,
    /// Its role.
    pub role: Role,
}

/// Where the quantizer of values stands.
const VALUES: Place = Place {
    part: None,
    role: Role::Activation,
};

impl Operation {
    /// The kind's name, as in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dense { .. } => "dense",
            Self::Conv { .. } => "conv",
            Self::DepthwiseConv { .. } => "depthwise_conv",
            Self::SeparableConv { .. } => "separable_conv",
            Self::MaxPool { .. } => "max_pool",
            Self::AveragePool { .. } => "average_pool",
            Self::GlobalAveragePool { .. } => "global_average_pool",
            Self::Flatten => "flatten",
            Self::ZeroPadding { .. } => "zero_padding",
            Self::BatchNorm { .. } => "batch_norm",
            Self::Add => "add",
            Self::Concatenate => "concatenate",
            Self::Activation { .. } => "activation",
            Self::ChannelActivation { .. } => "channel_activation",
            Self::Dropout { .. } => "dropout",
        }
    }

    /// Its quantizers with their places, in the order of the fields.
    pub fn quantizers(&self) -> Vec<(Place, Quantizer)> {
        let place = |part, role, quantizer: &Quantizer| {
            (
                Place {
                    part: Some(part),
                    role,
                },
                *quantizer,
            )
        };
        let kernel = |quantizer| place(Part::Kernel, Role::Kernel, quantizer);
        let offset = |bias: &Option<Quantizer>| {
            bias.as_ref()
                .map(|quantizer| place(Part::Bias, Role::Bias, quantizer))
        };
        match self {
            Self::Dense {
                kernel: k, bias, ..
            }
            | Self::Conv {
                kernel: k, bias, ..
            }
            | Self::DepthwiseConv {
                kernel: k, bias, ..
            } => [Some(kernel(k)), offset(bias)]
                .into_iter()
                .flatten()
                .collect(),
            Self::SeparableConv {
                depthwise_kernel,
                pointwise_kernel,
                bias,
                ..
            } => [
                Some(place(Part::DepthwiseKernel, Role::Kernel, depthwise_kernel)),
                Some(place(Part::PointwiseKernel, Role::Kernel, pointwise_kernel)),
                offset(bias),
            ]
            .into_iter()
            .flatten()
            .collect(),
            Self::Activation { quantizer } => vec![(VALUES, *quantizer)],
            Self::ChannelActivation { quantizers } => {
                quantizers.iter().map(|one| (VALUES, *one)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Its quantizers with their places, to be replaced.
    pub fn quantizers_mut(&mut self) -> Vec<(Place, &mut Quantizer)> {
        let place = |part, role| Place {
            part: Some(part),
            role,
        };
        let mut all: Vec<(Place, &mut Quantizer)> = Vec::new();
        match self {
            Self::Dense { kernel, bias, .. }
            | Self::Conv { kernel, bias, .. }
            | Self::DepthwiseConv { kernel, bias, .. } => {
                all.push((place(Part::Kernel, Role::Kernel), kernel));
                all.extend(bias.as_mut().map(|q| (place(Part::Bias, Role::Bias), q)));
            }
            Self::SeparableConv {
                depthwise_kernel,
                pointwise_kernel,
                bias,
                ..
            } => {
                all.push((place(Part::DepthwiseKernel, Role::Kernel), depthwise_kernel));
                all.push((place(Part::PointwiseKernel, Role::Kernel), pointwise_kernel));
                all.extend(bias.as_mut().map(|q| (place(Part::Bias, Role::Bias), q)));
            }
            Self::Activation { quantizer } => all.push((VALUES, quantizer)),
            Self::ChannelActivation { quantizers } => {
                all.extend(quantizers.iter_mut().map(|one| (VALUES, one)));
            }
            _ => {}
        }
        all
    }

    /// The window of a convolution or pooling layer over an input of `shape`.
    ///
    /// # Errors
    /// What does not fit, as a sentence's end; also for operations without a window.
    pub fn geometry(&self, shape: &[usize]) -> Result<Geometry, String> {
        let extents = &shape[..shape.len().saturating_sub(1)];
        match (self, self.window()) {
            (_, Some(window)) => window.over(extents),
            (Self::GlobalAveragePool { .. }, None) => Window {
                size: extents.to_vec(),
                strides: vec![1; extents.len()],
                dilation: vec![1; extents.len()],
                padding: crate::geometry::Padding::Valid,
            }
            .over(extents),
            _ => Err("has no window".into()),
        }
    }

    /// The window of an operation that says its own.
    pub(crate) fn window(&self) -> Option<&Window> {
        match self {
            Self::Conv { window, .. }
            | Self::DepthwiseConv { window, .. }
            | Self::SeparableConv { window, .. }
            | Self::MaxPool { window }
            | Self::AveragePool { window, .. } => Some(window),
            _ => None,
        }
    }

    /// Shape of the result for inputs of the given shapes.
    ///
    /// # Errors
    /// What does not fit and what is accepted, as a sentence's end.
    pub fn output_shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
        let several = matches!(self, Self::Add | Self::Concatenate);
        if several && inputs.len() < 2 {
            return Err(format!(
                "reads {} tensors; accepted are two or more",
                inputs.len()
            ));
        }
        if !several && inputs.len() != 1 {
            return Err(format!("reads {} tensors; accepted is one", inputs.len()));
        }
        let shape = inputs[0];
        let channels = *shape.last().ok_or("reads a tensor without axes")?;
        let windowed = |channels: usize| {
            let geometry = self.geometry(shape)?;
            let mut output = vec![geometry.columns.output, channels];
            if shape.len() == 3 {
                output.insert(0, geometry.rows.output);
            }
            Ok(output)
        };
        match self {
            Self::Dense { units, .. } => {
                let mut output = shape.to_vec();
                output[shape.len() - 1] = *units;
                Ok(output)
            }
            Self::Conv { filters, .. } | Self::SeparableConv { filters, .. } => windowed(*filters),
            Self::DepthwiseConv { multiplier, .. } => {
                windowed(channels.saturating_mul(*multiplier))
            }
            Self::MaxPool { .. } | Self::AveragePool { .. } => windowed(channels),
            Self::GlobalAveragePool { .. } => {
                self.geometry(shape)?;
                Ok(vec![channels])
            }
            Self::Flatten => Ok(vec![shape.iter().product()]),
            Self::ZeroPadding { border } => {
                if border.len() + 1 != shape.len() {
                    return Err(format!(
                        "pads {} axes of an input of {} spatial axes",
                        border.len(),
                        shape.len() - 1
                    ));
                }
                let mut output = shape.to_vec();
                for (extent, [before, after]) in output.iter_mut().zip(border) {
                    *extent = extent.saturating_add(*before).saturating_add(*after);
                }
                Ok(output)
            }
            Self::Add => match inputs.iter().find(|other| **other != shape) {
                Some(other) => Err(format!("adds tensors of shapes {shape:?} and {other:?}")),
                None => Ok(shape.to_vec()),
            },
            Self::Concatenate => {
                let mut output = shape.to_vec();
                for other in &inputs[1..] {
                    let (spatial, added) = other.split_at(other.len() - 1);
                    if spatial != &shape[..shape.len() - 1] {
                        return Err(format!(
                            "joins tensors of shapes {shape:?} and {other:?}, which differ beside \
                             their channels"
                        ));
                    }
                    output[shape.len() - 1] += added[0];
                }
                Ok(output)
            }
            Self::ChannelActivation { quantizers } if quantizers.len() != channels => Err(format!(
                "has {} quantizers for {channels} channels; accepted is one a channel",
                quantizers.len()
            )),
            Self::BatchNorm { .. }
            | Self::Activation { .. }
            | Self::ChannelActivation { .. }
            | Self::Dropout { .. } => Ok(shape.to_vec()),
        }
    }

    /// Its weights with their shapes (row-major) for an input of `shape`, which must fit.
    pub fn parts(&self, shape: &[usize]) -> Vec<(Part, Vec<usize>)> {
        let channels = shape.last().copied().unwrap_or(0);
        let mut parts = Vec::new();
        let mut linear = |kernel: Vec<usize>, outputs: usize, bias: bool, fold: bool| {
            parts.push((Part::Kernel, kernel));
            if bias {
                parts.push((Part::Bias, vec![outputs]));
            }
            if fold {
                parts.extend(NORMALISATION.map(|part| (part, vec![outputs])));
            }
        };
        match self {
            Self::Dense {
                units, bias, fold, ..
            } => linear(
                vec![channels, *units],
                *units,
                bias.is_some(),
                fold.is_some(),
            ),
            Self::Conv {
                filters,
                window,
                bias,
                fold,
                ..
            } => {
                let kernel = [&window.size[..], &[channels, *filters]].concat();
                linear(kernel, *filters, bias.is_some(), fold.is_some());
            }
            Self::DepthwiseConv {
                multiplier,
                window,
                bias,
                fold,
                ..
            } => {
                let kernel = [&window.size[..], &[channels, *multiplier]].concat();
                let outputs = channels * multiplier;
                linear(kernel, outputs, bias.is_some(), fold.is_some());
            }
            Self::SeparableConv {
                filters,
                multiplier,
                window,
                bias,
                ..
            } => {
                let depthwise = [&window.size[..], &[channels, *multiplier]].concat();
                parts.push((Part::DepthwiseKernel, depthwise));
                let ones = vec![1; window.size.len()];
                let pointwise = [&ones[..], &[channels * multiplier, *filters]].concat();
                parts.push((Part::PointwiseKernel, pointwise));
                if bias.is_some() {
                    parts.push((Part::Bias, vec![*filters]));
                }
            }
            Self::BatchNorm { .. } => {
                parts.extend(NORMALISATION.map(|part| (part, vec![channels])));
            }
            _ => {}
        }
        parts
    }
}

/// Weights of a batch normalisation.
pub(crate) const NORMALISATION: [Part; 4] = [Part::Gamma, Part::Beta, Part::Mean, Part::Variance];
