//! The layers of a model section: what each key becomes, with the usual defaults written out.

use crate::file::fault::{Fault, list};
use crate::file::pointer::Pointer;
use crate::file::types::{ActivationKind, BorderSpec, Extent, FoldSpec, LayerSpec, PaddingSpec};
use bitfront_network::{Fold, Layer, Operation, Padding, Window};
use bitfront_quantizer::Quantizer;
use std::collections::HashSet;

/// Significant bits of the reciprocals of average pools.
const RECIPROCAL_BITS: u32 = 12;

/// A layer of the file with its place.
pub(super) struct Placed {
    pub(super) layer: Layer,
    pub(super) at: Pointer,
}

fn dense(units: usize) -> Operation {
    Operation::Dense {
        units,
        kernel: Quantizer::Float,
        bias: Some(Quantizer::Float),
        fold: None,
    }
}

/// `fc1`, `relu1`, `fc2`, ..., `output`.
pub(super) fn chain(sizes: &[u32], at: &Pointer) -> Vec<Placed> {
    let count = sizes.len() - 1;
    let mut layers = Vec::new();
    for (index, &units) in sizes[1..].iter().enumerate() {
        let at = at.at(index + 1);
        let last = index + 1 == count;
        let name = if last {
            "output".to_owned()
        } else {
            format!("fc{}", index + 1)
        };
        layers.push(Placed {
            layer: Layer::new(name, dense(units as usize)),
            at: at.clone(),
        });
        if !last {
            let quantizer = Quantizer::Relu;
            layers.push(Placed {
                layer: Layer::new(
                    format!("relu{}", index + 1),
                    Operation::Activation { quantizer },
                ),
                at,
            });
        }
    }
    layers
}

/// The layers of the file; `axes` is the number of spatial axes of the input.
pub(super) fn listed(
    specs: &[LayerSpec],
    axes: usize,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) -> Vec<Placed> {
    let mut layers: Vec<Placed> = Vec::new();
    let mut names = HashSet::from(["input"]);
    for (index, spec) in specs.iter().enumerate() {
        let at = at.at(index);
        if !names.insert(&spec.name) {
            let detail = format!("`{}` is taken", spec.name);
            faults.push(Fault::new(at.at("name"), detail));
        }
        let last = index + 1 == specs.len();
        match (spec.activation, last) {
            // The logits' arg-max is the class: behind them these change nothing.
            (Some(ActivationKind::Softmax | ActivationKind::Linear), true) if index > 0 => {
                only_keys(spec, &at, faults);
                continue;
            }
            (Some(ActivationKind::Softmax), _) => {
                faults.push(Fault::new(
                    at.at("activation"),
                    "`softmax` may only be the last layer",
                ));
                continue;
            }
            (Some(ActivationKind::Relu), true) => {
                faults.push(Fault::new(
                    at.at("activation"),
                    "the network ends in logits: as its last layer `softmax` or `linear` may stand",
                ));
                continue;
            }
            _ => {}
        }
        only_keys(spec, &at, faults);
        let Some(operation) = operation(spec, axes, &at, faults) else {
            continue;
        };
        let inputs = match (&spec.add, &spec.concatenate, &spec.input) {
            (Some(names), ..) | (_, Some(names), _) => names.clone(),
            (.., Some(name)) => vec![name.clone()],
            _ => Vec::new(),
        };
        layers.push(Placed {
            layer: Layer {
                name: spec.name.clone(),
                inputs,
                operation,
            },
            at,
        });
    }
    layers
}

/// The keys of a layer that say what it is.
fn kinds(spec: &LayerSpec) -> Vec<&'static str> {
    [
        ("dense", spec.dense.is_some()),
        ("conv", spec.conv.is_some()),
        ("depthwise_conv", spec.depthwise_conv.is_some()),
        ("separable_conv", spec.separable_conv.is_some()),
        ("max_pool", spec.max_pool.is_some()),
        ("average_pool", spec.average_pool.is_some()),
        ("global_average_pool", spec.global_average_pool.is_some()),
        ("flatten", spec.flatten.is_some()),
        ("zero_padding", spec.zero_padding.is_some()),
        ("batch_norm", spec.batch_norm.is_some()),
        ("add", spec.add.is_some()),
        ("concatenate", spec.concatenate.is_some()),
        ("activation", spec.activation.is_some()),
        ("dropout", spec.dropout.is_some()),
    ]
    .into_iter()
    .filter_map(|(kind, given)| given.then_some(kind))
    .collect()
}

/// Keys that a layer of its kind does not have.
fn only_keys(spec: &LayerSpec, at: &Pointer, faults: &mut Vec<Fault>) {
    let kinds = kinds(spec);
    let [kind] = kinds[..] else { return };
    let weighted = ["dense", "conv", "depthwise_conv", "separable_conv"];
    let several = ["add", "concatenate"];
    let mut refuse = |key: &str, given: bool, accepted: &[&str]| {
        if given {
            let detail = format!("stands on a `{kind}` layer; accepted on {}", list(accepted));
            faults.push(Fault::new(at.at(key), detail));
        }
    };
    if !weighted.contains(&kind) {
        refuse("use_bias", spec.use_bias.is_some(), &weighted);
    }
    if !weighted[..3].contains(&kind) {
        refuse(
            "fold_batch_norm",
            spec.fold_batch_norm.is_some(),
            &weighted[..3],
        );
    }
    if several.contains(&kind) && spec.input.is_some() {
        let detail = format!("`{kind}` names what it reads itself");
        faults.push(Fault::new(at.at("input"), detail));
    }
    for (key, given) in [
        ("flatten", spec.flatten),
        ("global_average_pool", spec.global_average_pool),
    ] {
        if given.is_some_and(|always| !always.0) {
            let detail = "`false` asks for nothing; leave the layer out";
            faults.push(Fault::new(at.at(key), detail));
        }
    }
}

/// What a layer of the file computes, without quantizers.
fn operation(
    spec: &LayerSpec,
    axes: usize,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) -> Option<Operation> {
    let kinds = kinds(spec);
    let [kind] = kinds[..] else {
        let detail = if kinds.is_empty() {
            "needs one of `dense`, `conv`, `depthwise_conv`, `separable_conv`, `max_pool`, \
             `average_pool`, `global_average_pool`, `flatten`, `zero_padding`, `batch_norm`, `add`, \
             `concatenate`, `activation`, `dropout`"
                .to_owned()
        } else {
            format!("has {}; accepted is one of them", list(&kinds))
        };
        faults.push(Fault::new(at, detail));
        return None;
    };
    let at = at.at(kind);
    let bias = spec.use_bias.unwrap_or(true).then_some(Quantizer::Float);
    let fold = spec
        .fold_batch_norm
        .map(|FoldSpec { epsilon, momentum }| Fold { epsilon, momentum });
    let kernel = Quantizer::Float;
    let window = match swept(spec) {
        Some(swept) => Some(window(&swept, axes, &at, faults)?),
        None => None,
    };
    Some(if let Some(units) = spec.dense {
        Operation::Dense {
            units: units as usize,
            kernel,
            bias,
            fold,
        }
    } else if let Some(conv) = &spec.conv {
        Operation::Conv {
            filters: conv.filters as usize,
            window: window?,
            kernel,
            bias,
            fold,
        }
    } else if let Some(conv) = &spec.depthwise_conv {
        Operation::DepthwiseConv {
            multiplier: conv.multiplier as usize,
            window: window?,
            kernel,
            bias,
            fold,
        }
    } else if let Some(conv) = &spec.separable_conv {
        Operation::SeparableConv {
            filters: conv.filters as usize,
            multiplier: conv.multiplier as usize,
            window: window?,
            depthwise_kernel: kernel,
            pointwise_kernel: kernel,
            bias,
        }
    } else if spec.max_pool.is_some() {
        Operation::MaxPool { window: window? }
    } else if spec.average_pool.is_some() {
        Operation::AveragePool {
            window: window?,
            reciprocal_bits: RECIPROCAL_BITS,
        }
    } else if spec.global_average_pool.is_some() {
        Operation::GlobalAveragePool {
            reciprocal_bits: RECIPROCAL_BITS,
        }
    } else if spec.flatten.is_some() {
        Operation::Flatten
    } else if let Some(border) = &spec.zero_padding {
        Operation::ZeroPadding {
            border: border_of(border, axes),
        }
    } else if let Some(norm) = spec.batch_norm {
        Operation::BatchNorm {
            epsilon: norm.epsilon,
            momentum: norm.momentum,
            scale_bits: norm.scale_bits,
            offset_bits: norm.offset_bits,
        }
    } else if spec.add.is_some() {
        Operation::Add
    } else if spec.concatenate.is_some() {
        Operation::Concatenate
    } else if let Some(rate) = spec.dropout {
        Operation::Dropout { rate }
    } else {
        Operation::Activation {
            quantizer: if spec.activation == Some(ActivationKind::Relu) {
                Quantizer::Relu
            } else {
                Quantizer::Float
            },
        }
    })
}

/// What a layer's window is made of.
struct Swept<'a> {
    size: &'a Extent,
    stride: Option<&'a Extent>,
    dilation: Option<&'a Extent>,
    padding: PaddingSpec,
}

/// The window of a layer that has one; a pool's stride is its size.
fn swept(spec: &LayerSpec) -> Option<Swept<'_>> {
    let (size, stride, dilation, padding) = if let Some(conv) = &spec.conv {
        (&conv.size, &conv.stride, &conv.dilation, conv.padding)
    } else if let Some(conv) = &spec.depthwise_conv {
        (&conv.size, &conv.stride, &conv.dilation, conv.padding)
    } else if let Some(conv) = &spec.separable_conv {
        (&conv.size, &conv.stride, &conv.dilation, conv.padding)
    } else {
        let pool = spec.max_pool.as_ref().or(spec.average_pool.as_ref())?;
        return Some(Swept {
            size: &pool.size,
            stride: pool.stride.as_ref().or(Some(&pool.size)),
            dilation: None,
            padding: pool.padding,
        });
    };
    Some(Swept {
        size,
        stride: stride.as_ref(),
        dilation: dilation.as_ref(),
        padding,
    })
}

/// A window over `axes` spatial axes.
fn window(swept: &Swept<'_>, axes: usize, at: &Pointer, faults: &mut Vec<Fault>) -> Option<Window> {
    if axes == 0 {
        let detail = "needs an input with spatial axes: give `model.inputs.shape`, channels last";
        faults.push(Fault::new(at, detail));
        return None;
    }
    let mut each = |key: &str, extent: Option<&Extent>| match extent {
        None => Some(vec![1; axes]),
        Some(Extent::One(value)) => Some(vec![*value as usize; axes]),
        Some(Extent::Each(values)) if values.len() == axes => {
            Some(values.iter().map(|value| *value as usize).collect())
        }
        Some(Extent::Each(values)) => {
            let detail = format!(
                "has {} entries; the input has {axes} spatial axes",
                values.len()
            );
            faults.push(Fault::new(at.at(key), detail));
            None
        }
    };
    let size = each("size", Some(swept.size));
    let strides = each("stride", swept.stride);
    let dilation = each("dilation", swept.dilation);
    Some(Window {
        size: size?,
        strides: strides?,
        dilation: dilation?,
        padding: match swept.padding {
            PaddingSpec::Valid => Padding::Valid,
            PaddingSpec::Same => Padding::Same,
        },
    })
}

fn border_of(border: &BorderSpec, axes: usize) -> Vec<[usize; 2]> {
    match border {
        BorderSpec::One(value) => vec![[*value as usize; 2]; axes],
        BorderSpec::Each(values) => values.iter().map(|value| [*value as usize; 2]).collect(),
        BorderSpec::Sides(sides) => {
            let side = |side: &Vec<u32>, at| side.get(at).copied().unwrap_or(0) as usize;
            sides
                .iter()
                .map(|one| [side(one, 0), side(one, 1)])
                .collect()
        }
    }
}
