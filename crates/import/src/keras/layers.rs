//! What each Keras layer becomes.
//!
//! The rule this module keeps: every setting that changes what a layer computes is either honoured
//! or named in a refusal.

use bitfront_network::{Fold, Operation, Part, Window};
use bitfront_quantizer::Quantizer;
use serde_json::Value;

use super::config::Node;
use super::quantizers;
use super::settings::Settings;
use super::store::Arrays;
use crate::array::Array;
use crate::curve::{Activation, Curve};
use crate::graph::{CONSTANT_BITS, Graph, Tensor};

/// A layer as steps, first to last.
pub(crate) struct Plan(Vec<Step>);

enum Step {
    /// An operation with its weights; the text is put behind the layer's name.
    Operation(&'static str, Operation, Vec<(Part, Array)>),
    Activation(&'static str, Activation),
    /// One axis of so many values; -1 for all.
    Reshape(i64),
    /// Tensors side by side along this axis.
    Concatenate(i64),
    /// Normalisation along this axis.
    Normalise(i64, Operation, Vec<Array>),
}

impl Plan {
    fn operation(operation: Operation) -> Self {
        Self(vec![Step::Operation("", operation, Vec::new())])
    }

    fn activation(activation: Activation) -> Self {
        Self(vec![Step::Activation("", activation)])
    }

    /// Puts the steps into a network.
    ///
    /// # Errors
    /// Why they do not fit, as a sentence's end.
    pub(crate) fn place(
        self,
        node: &Node,
        graph: &mut Graph,
        inputs: &[Tensor],
    ) -> Result<Tensor, String> {
        let origin = (node.name.as_str(), node.class.as_str());
        let mut inputs = inputs.to_vec();
        for step in self.0 {
            let first = *inputs.first().ok_or("reads nothing")?;
            let shape = graph.shape(first).to_vec();
            // Axis 0 is the batch.
            let is_last = |axis: i64| axis == -1 || axis == shape.len() as i64;
            let tensor = match step {
                Step::Operation(suffix, operation, parts) => graph.add(
                    origin,
                    &format!("{}{suffix}", node.name),
                    &inputs,
                    operation,
                    parts,
                )?,
                Step::Activation(suffix, activation) => {
                    if inputs.len() != 1 {
                        return Err(format!("reads {} tensors; accepted is one", inputs.len()));
                    }
                    graph.activate(origin, &format!("{}{suffix}", node.name), first, activation)?
                }
                Step::Reshape(target) => {
                    let size = shape.iter().product::<usize>() as i64;
                    if target != -1 && target != size {
                        return Err(format!(
                            "makes {target} values of the shape {shape:?}; accepted is all of them"
                        ));
                    }
                    if shape.len() == 1 {
                        first
                    } else {
                        graph.add(origin, &node.name, &inputs, Operation::Flatten, Vec::new())?
                    }
                }
                Step::Concatenate(axis) => {
                    if !is_last(axis) {
                        return Err(format!("joins along axis {axis}; accepted is the last one"));
                    }
                    let operation = Operation::Concatenate;
                    graph.add(origin, &node.name, &inputs, operation, Vec::new())?
                }
                Step::Normalise(axis, operation, mut arrays) => {
                    if !is_last(axis) {
                        return Err(along(axis));
                    }
                    let channels = shape.last().copied().unwrap_or(0);
                    for (array, value) in arrays.iter_mut().zip([1.0, 0.0]) {
                        if array.shape.is_empty() {
                            *array = Array::vector(vec![value; channels]);
                        }
                    }
                    let parts = NORMALISATION.into_iter().zip(arrays).collect();
                    graph.add(origin, &node.name, &inputs, operation, parts)?
                }
            };
            inputs = vec![tensor];
        }
        match inputs.as_slice() {
            [one] => Ok(*one),
            more => Err(format!("reads {} tensors; accepted is one", more.len())),
        }
    }
}

const NORMALISATION: [Part; 4] = [Part::Gamma, Part::Beta, Part::Mean, Part::Variance];

/// Classes whose weights are looked up.
pub(crate) fn has_weights(class: &str) -> bool {
    ["Dense", "Conv1D", "Conv2D", "Norm", "norm"]
        .iter()
        .any(|part| class.contains(part))
}

/// What a layer becomes.
///
/// # Errors
/// Why it is not supported, as a sentence's end.
pub(crate) fn plan(node: &Node, arrays: Arrays) -> Result<Plan, String> {
    let settings = Settings(&node.config);
    let class = node.class.as_str();
    match class {
        "Dense" | "QDense" => linear(settings, Kind::Dense, false, arrays),
        "QDenseBatchnorm" => linear(settings, Kind::Dense, true, arrays),
        "Conv1D" | "QConv1D" => linear(settings, Kind::Conv(1), false, arrays),
        "Conv2D" | "QConv2D" => linear(settings, Kind::Conv(2), false, arrays),
        "QConv2DBatchnorm" => linear(settings, Kind::Conv(2), true, arrays),
        "DepthwiseConv1D" | "QDepthwiseConv1D" => {
            linear(settings, Kind::Depthwise(1), false, arrays)
        }
        "DepthwiseConv2D" | "QDepthwiseConv2D" => {
            linear(settings, Kind::Depthwise(2), false, arrays)
        }
        "QDepthwiseConv2DBatchnorm" => linear(settings, Kind::Depthwise(2), true, arrays),
        "SeparableConv1D" | "QSeparableConv1D" => separable(settings, 1, arrays),
        "SeparableConv2D" | "QSeparableConv2D" => separable(settings, 2, arrays),
        "BatchNormalization" | "QBatchNormalization" => normalisation(settings, arrays),
        "MaxPooling1D" => Ok(Plan::operation(Operation::MaxPool {
            window: settings.pooling(1)?,
        })),
        "MaxPooling2D" => Ok(Plan::operation(Operation::MaxPool {
            window: settings.pooling(2)?,
        })),
        "AveragePooling1D" => average(settings, 1),
        "AveragePooling2D" | "QAveragePooling2D" => average(settings, 2),
        "GlobalAveragePooling1D" | "GlobalAveragePooling2D" | "QGlobalAveragePooling2D" => {
            settings.channels_last()?;
            settings.only("keepdims", &[false.into()])?;
            settings.only("average_quantizer", &[])?;
            settings.only("activation", &["linear".into()])?;
            Ok(Plan::operation(Operation::GlobalAveragePool {
                reciprocal_bits: CONSTANT_BITS,
            }))
        }
        "Flatten" => {
            settings.channels_last()?;
            Ok(Plan(vec![Step::Reshape(-1)]))
        }
        "Reshape" => {
            let value = settings.get("target_shape");
            let target = value.as_array().and_then(|list| match list.as_slice() {
                [size] => size.as_i64(),
                _ => None,
            });
            let target =
                target.ok_or_else(|| format!("makes the shape {value}; accepted is a flat one"))?;
            Ok(Plan(vec![Step::Reshape(target)]))
        }
        "ZeroPadding1D" => Ok(Plan::operation(Operation::ZeroPadding {
            border: settings.border(1)?,
        })),
        "ZeroPadding2D" => {
            settings.channels_last()?;
            let border = settings.border(2)?;
            Ok(Plan::operation(Operation::ZeroPadding { border }))
        }
        "Add" => Ok(Plan::operation(Operation::Add)),
        "Concatenate" => Ok(Plan(vec![Step::Concatenate(
            settings.get("axis").as_i64().unwrap_or(-1),
        )])),
        "Dropout" => Ok(Plan::operation(Operation::Dropout {
            rate: settings.number("rate", 0.5)?,
        })),
        "Activation" | "QActivation" => {
            let value = settings.get("activation");
            Ok(Plan::activation(quantizers::activation(value)?))
        }
        "ReLU" => {
            settings.only("max_value", &[])?;
            settings.only("threshold", &[0.into(), 0.0.into()])?;
            let slope = settings.number("negative_slope", 0.0)?;
            Ok(Plan::activation(leaky(slope)))
        }
        "LeakyReLU" => {
            let slope = match settings.get("negative_slope") {
                Value::Null => number(settings.get("alpha")).unwrap_or(0.3),
                value => number(value).ok_or("has no number for `negative_slope`")?,
            };
            Ok(Plan::activation(leaky(slope)))
        }
        "Softmax" => {
            settings.only("axis", &[(-1).into()])?;
            Ok(Plan::activation(Activation::Curve(Curve::Softmax)))
        }
        _ => Err("is no layer type that is supported".into()),
    }
}

fn leaky(slope: f32) -> Activation {
    if slope == 0.0 {
        Activation::Quantizer(Quantizer::Relu)
    } else {
        Activation::Curve(Curve::Leaky { slope })
    }
}

/// A number, also one that was an array of no axes.
fn number(value: &Value) -> Option<f32> {
    let value = if value["class_name"] == "__numpy__" {
        &value["config"]["value"]
    } else {
        value
    };
    Some(value.as_f64()? as f32)
}

fn average(settings: Settings<'_>, axes: usize) -> Result<Plan, String> {
    settings.only("average_quantizer", &[])?;
    settings.only("activation", &["linear".into()])?;
    Ok(Plan::operation(Operation::AveragePool {
        window: settings.pooling(axes)?,
        reciprocal_bits: CONSTANT_BITS,
    }))
}

#[derive(Clone, Copy)]
enum Kind {
    Dense,
    Conv(usize),
    Depthwise(usize),
}

/// Layers that multiply by one kernel and add a bias.
fn linear(settings: Settings<'_>, kind: Kind, folds: bool, arrays: Arrays) -> Result<Plan, String> {
    let kernel_key = match kind {
        Kind::Depthwise(_) => "depthwise_quantizer",
        _ => "kernel_quantizer",
    };
    let kernel = quantizers::kernel(settings.get(kernel_key))?;
    let bias_quantizer = quantizers::weights(settings.get("bias_quantizer"))?;
    let activation = quantizers::activation(settings.get("activation"))?;
    let use_bias = settings.flag("use_bias", true);
    let mut names = match kind {
        Kind::Depthwise(_) => vec!["depthwise_kernel|kernel"],
        _ => vec!["kernel"],
    };
    names.extend(use_bias.then_some("bias"));
    let scaled = settings.flag("scale", true);
    let centred = settings.flag("center", true);
    if folds {
        if !scaled || !centred {
            return Err("folds a batch normalisation without scale or offset".into());
        }
        let last = match kind {
            Kind::Dense => 1,
            Kind::Conv(axes) | Kind::Depthwise(axes) => axes as i64 + 1,
        };
        let axis = axis(settings)?;
        if axis != -1 && axis != last {
            return Err(along(axis));
        }
        names.extend(["gamma", "beta", "moving_mean", "moving_variance"]);
    }
    let window = match kind {
        Kind::Dense => None,
        Kind::Conv(axes) | Kind::Depthwise(axes) => Some(settings.convolution(axes)?),
    };
    let mut arrays = arrays.take(&names)?.into_iter();
    let mut next = || arrays.next().unwrap_or_default();
    let mut parts = vec![(Part::Kernel, next())];
    let groups = match kind {
        Kind::Conv(_) => settings.count("groups").unwrap_or(1),
        _ => 1,
    };
    let bias_array = use_bias.then(&mut next);
    let fold = if folds {
        parts.extend(NORMALISATION.map(|part| (part, next())));
        Some(Fold {
            epsilon: settings.number("epsilon", 0.001)?,
            momentum: settings.number("momentum", 0.99)?,
        })
    } else {
        None
    };
    let bias = (use_bias || folds).then_some(bias_quantizer);
    match bias_array {
        Some(array) => parts.push((Part::Bias, array)),
        // Folding makes a bias of its own.
        None if folds => {
            let channels = parts[1].1.values.len();
            parts.push((Part::Bias, Array::vector(vec![0.0; channels])));
        }
        None => {}
    }
    let mut steps = Vec::new();
    let (operation, causal) = match (kind, window) {
        (Kind::Conv(_), Some((window, causal))) if groups == 1 => {
            let filters = settings.count("filters")?;
            let operation = Operation::Conv {
                filters,
                window,
                kernel,
                bias,
                fold,
            };
            (operation, causal)
        }
        (Kind::Conv(_), Some((window, causal))) => {
            let filters = settings.count("filters")?;
            let array = std::mem::take(&mut parts[0].1);
            parts[0].1 = grouped(array, groups, filters)?;
            (
                depthwise(window, filters / groups, kernel, bias, fold),
                causal,
            )
        }
        (Kind::Depthwise(_), Some((window, causal))) => {
            let multiplier = settings.count("depth_multiplier").unwrap_or(1);
            (depthwise(window, multiplier, kernel, bias, fold), causal)
        }
        _ => {
            let units = settings.count("units")?;
            let operation = Operation::Dense {
                units,
                kernel,
                bias,
                fold,
            };
            (operation, None)
        }
    };
    if let Some(before) = causal.filter(|before| *before > 0) {
        let border = vec![[before, 0]];
        steps.push(Step::Operation(
            "_padding",
            Operation::ZeroPadding { border },
            Vec::new(),
        ));
    }
    steps.push(Step::Operation("", operation, parts));
    steps.push(Step::Activation("_activation", activation));
    Ok(Plan(steps))
}

fn depthwise(
    window: Window,
    multiplier: usize,
    kernel: Quantizer,
    bias: Option<Quantizer>,
    fold: Option<Fold>,
) -> Operation {
    Operation::DepthwiseConv {
        multiplier,
        window,
        kernel,
        bias,
        fold,
    }
}

/// The kernel of a convolution in groups of one channel as that of a depthwise one: the same
/// values, since output `group * multiplier + m` is the last axis of both.
fn grouped(kernel: Array, groups: usize, filters: usize) -> Result<Array, String> {
    let spatial = kernel.shape.len().saturating_sub(2);
    if kernel.shape.get(spatial) != Some(&1) || !filters.is_multiple_of(groups) {
        return Err(format!(
            "has {groups} groups of several channels; accepted are one group, or one a channel"
        ));
    }
    let shape = [&kernel.shape[..spatial], &[groups, filters / groups]].concat();
    kernel
        .reshaped(&shape)
        .ok_or_else(|| "has a kernel of another shape than its groups need".into())
}

fn separable(settings: Settings<'_>, axes: usize, arrays: Arrays) -> Result<Plan, String> {
    settings.only("depthwise_activation", &["linear".into()])?;
    let (window, causal) = settings.convolution(axes)?;
    let use_bias = settings.flag("use_bias", true);
    let mut names = vec!["depthwise_kernel", "pointwise_kernel"];
    names.extend(use_bias.then_some("bias"));
    let parts = [Part::DepthwiseKernel, Part::PointwiseKernel, Part::Bias];
    let parts = parts.into_iter().zip(arrays.take(&names)?).collect();
    let bias = quantizers::weights(settings.get("bias_quantizer"))?;
    let operation = Operation::SeparableConv {
        filters: settings.count("filters")?,
        multiplier: settings.count("depth_multiplier").unwrap_or(1),
        window,
        depthwise_kernel: quantizers::kernel(settings.get("depthwise_quantizer"))?,
        pointwise_kernel: quantizers::kernel(settings.get("pointwise_quantizer"))?,
        bias: use_bias.then_some(bias),
    };
    let mut steps = Vec::new();
    if let Some(before) = causal.filter(|before| *before > 0) {
        let border = vec![[before, 0]];
        steps.push(Step::Operation(
            "_padding",
            Operation::ZeroPadding { border },
            Vec::new(),
        ));
    }
    steps.push(Step::Operation("", operation, parts));
    let activation = quantizers::activation(settings.get("activation"))?;
    steps.push(Step::Activation("_activation", activation));
    Ok(Plan(steps))
}

fn normalisation(settings: Settings<'_>, arrays: Arrays) -> Result<Plan, String> {
    for what in ["gamma", "beta", "mean", "variance", "inverse"] {
        settings.only(&format!("{what}_quantizer"), &[])?;
    }
    settings.only("activation", &["linear".into()])?;
    settings.only("renorm", &[false.into()])?;
    let axis = axis(settings)?;
    let scaled = settings.flag("scale", true);
    let centred = settings.flag("center", true);
    let mut names = Vec::new();
    names.extend(scaled.then_some("gamma"));
    names.extend(centred.then_some("beta"));
    names.extend(["moving_mean", "moving_variance"]);
    let mut given = arrays.take(&names)?.into_iter();
    let mut next = |present: bool| {
        let array = present.then(|| given.next());
        array.flatten().unwrap_or_default()
    };
    let arrays = vec![next(scaled), next(centred), next(true), next(true)];
    let operation = Operation::BatchNorm {
        epsilon: settings.number("epsilon", 0.001)?,
        momentum: settings.number("momentum", 0.99)?,
        scale_bits: CONSTANT_BITS,
        offset_bits: CONSTANT_BITS,
    };
    Ok(Plan(vec![Step::Normalise(axis, operation, arrays)]))
}

/// The axis of a normalisation, counted with the batch.
fn axis(settings: Settings<'_>) -> Result<i64, String> {
    let value = settings.get("axis");
    let axis = match value {
        Value::Array(list) if list.len() == 1 => list[0].as_i64(),
        Value::Null => Some(-1),
        value => value.as_i64(),
    };
    axis.ok_or_else(|| along(value))
}

fn along(axis: impl std::fmt::Display) -> String {
    format!("normalises along axis {axis}; accepted is the last one")
}
