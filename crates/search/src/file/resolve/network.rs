//! The model section: the network of a file or of a registered model, and whether it fits the data.

use super::layers::{chain, listed};
use super::pools::Pools;
use super::{DatasetInfo, ModelInfo};
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
