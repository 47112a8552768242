//! The model section: layers, and how they fit the data.

use super::pools::Pools;
use super::{DatasetInfo, ModelInfo};
use crate::file::fault::{Fault, list};
use crate::file::pointer::Pointer;
use crate::file::types::{
    ActivationKind, BorderSpec, Extent, FoldSpec, LayerSpec, ModelSpec, PaddingSpec, SearchFile,
};
use crate::search::Network;
use crate::space::Parameter;
use bitfront_network::{
    Candidate, CandidateError, Fold, Head, Layer, Operation, Padding, SCALE_BITS, Window,
};
use bitfront_quantizer::Quantizer;
use std::collections::HashSet;

/// Significant bits of the reciprocals of average pools.
const RECIPROCAL_BITS: u32 = 12;

/// A layer of the file with its place.
struct Placed {
    layer: Layer,
    at: Pointer,
}

/// The network of `file`, `None` if it has faults.
pub(super) fn network(
    file: &SearchFile,
    dataset: &DatasetInfo,
    model: Option<&ModelInfo>,
    faults: &mut Vec<Fault>,
) -> Option<Network> {
    let before = faults.len();
    let at = Pointer::root().at("model");
    if let Some(name) = &file.model.import {
        return imported(file, name, dataset, model, &at, faults);
    }
    let input_shape = input_shape(&file.model, dataset, &at.at("inputs"), faults);
    let placed = match (&file.model.mlp, &file.model.layers) {
        (Some(sizes), None) => {
            let at = at.at("mlp");
            if sizes[0] as usize != dataset.inputs {
                let detail = format!(
                    "the data set has {} features, not {}",
                    dataset.inputs, sizes[0]
                );
                faults.push(Fault::new(at.at(0), detail));
            }
            chain(sizes, &at)
        }
        (None, Some(layers)) => listed(layers, input_shape.len() - 1, &at.at("layers"), faults),
        _ => {
            faults.push(Fault::new(&at, "needs one of `mlp`, `layers` and `import`"));
            return None;
        }
    };
    if faults.len() > before {
        return None;
    }
    let (layers, pointers): (Vec<Layer>, Vec<Pointer>) =
        placed.into_iter().map(|one| (one.layer, one.at)).unzip();
    let float = Candidate {
        input_shape,
        input_quantizer: Quantizer::Float,
        layers,
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    };
    if let Err(errors) = float.check_shapes() {
        for error in errors {
            let (CandidateError::Shape { place, .. } | CandidateError::NotExact { place, .. }) =
                &error;
            let layer = float.layers.iter().position(|layer| layer.name == *place);
            let at = layer.map_or(&at, |layer| &pointers[layer]);
            faults.push(Fault::new(at, error.to_string()));
        }
        return None;
    }
    let outputs = float.outputs();
    if outputs != dataset.classes {
        let detail = format!(
            "the data set has {} classes, not {outputs}",
            dataset.classes
        );
        let last = pointers.last().map_or(&at, |last| last);
        let dense = float
            .layers
            .last()
            .is_some_and(|layer| layer.operation.kind() == "dense");
        let last = if dense && file.model.layers.is_some() {
            last.at("dense")
        } else {
            last.clone()
        };
        faults.push(Fault::new(&last, detail));
        return None;
    }
    Some(Network { float })
}

/// The network of a registered model.
fn imported(
    file: &SearchFile,
    name: &str,
    dataset: &DatasetInfo,
    model: Option<&ModelInfo>,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) -> Option<Network> {
    let before = faults.len();
    for (key, given) in [
        ("mlp", file.model.mlp.is_some()),
        ("layers", file.model.layers.is_some()),
    ] {
        if given {
            let detail = "stands beside `import`; accepted is one of them";
            faults.push(Fault::new(at.at(key), detail));
        }
    }
    let at = at.at("import");
    let Some(model) = model else {
        let detail = format!("model `{name}` is not registered");
        let fault = Fault::new(&at, detail);
        faults.push(fault.suggest("register it with `bitfront model add FILE`"));
        return None;
    };
    let network = match Network::of(&model.candidate) {
        Ok(network) => network,
        Err(detail) => {
            faults.push(Fault::new(&at, detail));
            return None;
        }
    };
    if network.float.head != Head::ARG_MAX {
        let detail =
            "its outputs are not classes; accepted are networks that end in a softmax or in logits";
        faults.push(Fault::new(&at, detail));
    }
    let shape = input_shape(
        &file.model,
        dataset,
        &Pointer::root().at("model").at("inputs"),
        faults,
    );
    if shape != network.float.input_shape
        && file
            .model
            .inputs
            .as_ref()
            .is_some_and(|i| i.shape.is_some())
        || network.inputs() != dataset.inputs
    {
        let detail = format!(
            "it reads rows of shape {:?}; the data set's have {shape:?}",
            network.float.input_shape
        );
        faults.push(Fault::new(&at, detail));
    }
    let outputs = network.float.outputs();
    if outputs != dataset.classes {
        let detail = format!(
            "it has {outputs} outputs; the data set has {} classes",
            dataset.classes
        );
        faults.push(Fault::new(&at, detail));
    }
    (faults.len() == before).then_some(network)
}

/// The shape of a row; the data set's number of features where the file says nothing, or wrong.
fn input_shape(
    model: &ModelSpec,
    dataset: &DatasetInfo,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) -> Vec<usize> {
    let flat = vec![dataset.inputs];
    let Some(inputs) = &model.inputs else {
        return flat;
    };
    if let Some(features) = inputs
        .features
        .filter(|features| *features as usize != dataset.inputs)
    {
        let detail = format!(
            "the data set has {} features, not {features}",
            dataset.inputs
        );
        faults.push(Fault::new(at.at("features"), detail));
    }
    let Some(shape) = &inputs.shape else {
        return flat;
    };
    let shape: Vec<usize> = shape.iter().map(|axis| *axis as usize).collect();
    let values = shape
        .iter()
        .fold(1_usize, |n, axis| n.saturating_mul(*axis));
    if values != dataset.inputs {
        let detail = format!(
            "the data set has {} features, not the {values} of this shape",
            dataset.inputs
        );
        faults.push(Fault::new(at.at("shape"), detail));
    }
    if model.mlp.is_some() && shape.len() > 1 {
        faults.push(Fault::new(
            at.at("shape"),
            "`mlp` reads rows of one axis; write `layers` with a `flatten`",
        ));
    }
    shape
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
fn chain(sizes: &[u32], at: &Pointer) -> Vec<Placed> {
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
fn listed(specs: &[LayerSpec], axes: usize, at: &Pointer, faults: &mut Vec<Fault>) -> Vec<Placed> {
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
    let mut window = |size, stride, dilation, padding| {
        Sizes {
            axes,
            at: &at,
            faults,
        }
        .window(size, stride, dilation, padding)
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
            window: window(
                &conv.size,
                conv.stride.as_ref(),
                conv.dilation.as_ref(),
                conv.padding,
            )?,
            kernel,
            bias,
            fold,
        }
    } else if let Some(conv) = &spec.depthwise_conv {
        Operation::DepthwiseConv {
            multiplier: conv.multiplier as usize,
            window: window(
                &conv.size,
                conv.stride.as_ref(),
                conv.dilation.as_ref(),
                conv.padding,
            )?,
            kernel,
            bias,
            fold,
        }
    } else if let Some(conv) = &spec.separable_conv {
        Operation::SeparableConv {
            filters: conv.filters as usize,
            multiplier: conv.multiplier as usize,
            window: window(
                &conv.size,
                conv.stride.as_ref(),
                conv.dilation.as_ref(),
                conv.padding,
            )?,
            depthwise_kernel: kernel,
            pointwise_kernel: kernel,
            bias,
        }
    } else if let Some(pool) = &spec.max_pool {
        let stride = pool.stride.as_ref().unwrap_or(&pool.size);
        Operation::MaxPool {
            window: window(&pool.size, Some(stride), None, pool.padding)?,
        }
    } else if let Some(pool) = &spec.average_pool {
        let stride = pool.stride.as_ref().unwrap_or(&pool.size);
        Operation::AveragePool {
            window: window(&pool.size, Some(stride), None, pool.padding)?,
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

/// Reads window sizes for a number of spatial axes.
struct Sizes<'a> {
    axes: usize,
    at: &'a Pointer,
    faults: &'a mut Vec<Fault>,
}

impl Sizes<'_> {
    fn window(
        &mut self,
        size: &Extent,
        stride: Option<&Extent>,
        dilation: Option<&Extent>,
        padding: PaddingSpec,
    ) -> Option<Window> {
        if self.axes == 0 {
            let detail =
                "needs an input with spatial axes: give `model.inputs.shape`, channels last";
            self.faults.push(Fault::new(self.at, detail));
            return None;
        }
        let one = Extent::One(1);
        let size = self.each("size", size);
        let strides = self.each("stride", stride.unwrap_or(&one));
        let dilation = self.each("dilation", dilation.unwrap_or(&one));
        Some(Window {
            size: size?,
            strides: strides?,
            dilation: dilation?,
            padding: match padding {
                PaddingSpec::Valid => Padding::Valid,
                PaddingSpec::Same => Padding::Same,
            },
        })
    }

    fn each(&mut self, key: &str, extent: &Extent) -> Option<Vec<usize>> {
        match extent {
            Extent::One(value) => Some(vec![*value as usize; self.axes]),
            Extent::Each(values) if values.len() == self.axes => {
                Some(values.iter().map(|value| *value as usize).collect())
            }
            Extent::Each(values) => {
                let detail = format!(
                    "has {} entries; the input has {} spatial axes",
                    values.len(),
                    self.axes
                );
                self.faults.push(Fault::new(self.at.at(key), detail));
                None
            }
        }
    }
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

/// The quantizer the input has where no rule says otherwise; `None` if it has faults.
pub(super) fn input_quantizer(
    file: &SearchFile,
    pools: &Pools<'_>,
    faults: &mut Vec<Fault>,
) -> Option<Quantizer> {
    let given = file
        .model
        .inputs
        .as_ref()
        .and_then(|inputs| inputs.quantizer.as_ref());
    match given {
        Some(text) => {
            let at = Pointer::root().at("model").at("inputs").at("quantizer");
            pools.quantizer(text, Parameter::Input, &at, faults)
        }
        // The last of the pool has the most bits.
        None => pools.choices("input", Parameter::Input, faults)?.pop(),
    }
}
