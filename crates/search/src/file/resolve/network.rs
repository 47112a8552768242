//! The model section: the network of a file or of a registered model, and whether it fits the data.

use super::ModelInfo;
use super::aim::Aim;
use super::layers::{chain, listed};
use super::pools::Pools;
use crate::file::fault::Fault;
use crate::file::pointer::Pointer;
use crate::file::types::{ModelSpec, SearchFile};
use crate::search::Network;
use crate::space::Parameter;
use bitfront_network::{Candidate, CandidateError, Head, Layer, SCALE_BITS};
use bitfront_quantizer::Quantizer;

/// The network of `file`, `None` if it has faults.
pub(super) fn network(
    file: &SearchFile,
    aim: &Aim,
    model: Option<&ModelInfo>,
    faults: &mut Vec<Fault>,
) -> Option<Network> {
    let before = faults.len();
    let at = Pointer::root().at("model");
    if let Some(name) = &file.model.import {
        return imported(file, name, aim, model, &at, faults);
    }
    let input_shape = input_shape(&file.model, aim, &at.at("inputs"), faults);
    let placed = match (&file.model.mlp, &file.model.layers) {
        (Some(sizes), None) => {
            let at = at.at("mlp");
            if sizes[0] as usize != aim.inputs {
                let detail = format!("{}, not {}", features(aim), sizes[0]);
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
        head: aim.loss.head(),
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
    if outputs != aim.outputs() {
        let detail = format!("the data set has {}, not {outputs}", aim.described());
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
    aim: &Aim,
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
    let mut network = match Network::of(&model.candidate) {
        Ok(network) => network,
        Err(detail) => {
            faults.push(Fault::new(&at, detail));
            return None;
        }
    };
    // Plain outputs are what the loss takes them for.
    let plain = model.candidate.head == Head::Linear;
    let head = aim.loss.head();
    if !plain && network.float.head != head {
        let detail = match head {
            Head::Softmax { .. } => {
                "its outputs are not classes; accepted are networks that end in a softmax or in logits"
            }
            Head::Sigmoid => {
                "its outputs are not those of `binary_cross_entropy`; accepted are networks that end in a sigmoid or in logits"
            }
            Head::Linear => {
                "its outputs are not values; accepted are networks whose last layer is linear"
            }
        };
        faults.push(Fault::new(&at, detail));
    }
    network.float.head = head;
    let shape = input_shape(
        &file.model,
        aim,
        &Pointer::root().at("model").at("inputs"),
        faults,
    );
    if shape != network.float.input_shape
        && file
            .model
            .inputs
            .as_ref()
            .is_some_and(|i| i.shape.is_some())
        || network.inputs() != aim.inputs
    {
        let detail = format!(
            "it reads rows of shape {:?}; the data set's have {shape:?}",
            network.float.input_shape
        );
        faults.push(Fault::new(&at, detail));
    }
    let outputs = network.float.outputs();
    if outputs != aim.outputs() {
        let detail = format!(
            "it has {outputs} outputs; the data set has {}",
            aim.described()
        );
        faults.push(Fault::new(&at, detail));
    }
    (faults.len() == before).then_some(network)
}

/// How many features the network reads.
fn features(aim: &Aim) -> String {
    match aim.targets.len() {
        0 => format!("the data set has {} features", aim.inputs),
        count => format!(
            "the data set has {} features beside {count} targets",
            aim.inputs
        ),
    }
}

/// The shape of a row; the data set's number of features where the file says nothing, or wrong.
fn input_shape(model: &ModelSpec, aim: &Aim, at: &Pointer, faults: &mut Vec<Fault>) -> Vec<usize> {
    let flat = vec![aim.inputs];
    let Some(inputs) = &model.inputs else {
        return flat;
    };
    if let Some(features) = inputs
        .features
        .filter(|features| *features as usize != aim.inputs)
    {
        let detail = format!("{}, not {features}", self::features(aim));
        faults.push(Fault::new(at.at("features"), detail));
    }
    let Some(shape) = &inputs.shape else {
        return flat;
    };
    let shape: Vec<usize> = shape.iter().map(|axis| *axis as usize).collect();
    let values = shape
        .iter()
        .fold(1_usize, |n, axis| n.saturating_mul(*axis));
    if values != aim.inputs {
        let detail = format!("{}, not the {values} of this shape", features(aim));
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
