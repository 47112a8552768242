//! The model section: layers, and how they fit the data.

use super::DatasetInfo;
use super::pools::Pools;
use crate::file::fault::Fault;
use crate::file::pointer::Pointer;
use crate::file::types::{ActivationKind, LayerSpec, SearchFile};
use crate::search::{Network, NetworkActivation, NetworkLayer};
use crate::space::Parameter;
use bitfront_quantizer::Quantizer;
use std::collections::HashSet;

/// The network of `file`, `None` if it has faults.
pub(super) fn network(
    file: &SearchFile,
    dataset: &DatasetInfo,
    faults: &mut Vec<Fault>,
) -> Option<Network> {
    let before = faults.len();
    let at = Pointer::root().at("model");
    let features = file
        .model
        .inputs
        .as_ref()
        .and_then(|inputs| inputs.features);
    if let Some(features) = features.filter(|features| *features as usize != dataset.inputs) {
        let detail = format!(
            "the data set has {} features, not {features}",
            dataset.inputs
        );
        faults.push(Fault::new(at.at("inputs").at("features"), detail));
    }
    let (layers, output_at) = match (&file.model.mlp, &file.model.layers) {
        (Some(sizes), None) => {
            if sizes[0] as usize != dataset.inputs {
                let detail = format!(
                    "the data set has {} features, not {}",
                    dataset.inputs, sizes[0]
                );
                faults.push(Fault::new(at.at("mlp").at(0), detail));
            }
            (chain(sizes), at.at("mlp").at(sizes.len() - 1))
        }
        (None, Some(layers)) => {
            let at = at.at("layers");
            let last_dense = layers.iter().rposition(|layer| layer.dense.is_some());
            let output_at = at.at(last_dense.unwrap_or(0)).at("dense");
            (listed(layers, &at, faults), output_at)
        }
        _ => {
            faults.push(Fault::new(&at, "needs either `mlp` or `layers`"));
            return None;
        }
    };
    if let Some(last) = layers.last().filter(|last| last.units != dataset.classes) {
        let detail = format!(
            "the data set has {} classes, not {}",
            dataset.classes, last.units
        );
        faults.push(Fault::new(&output_at, detail));
    }
    (faults.len() == before).then_some(Network {
        inputs: dataset.inputs,
        layers,
    })
}

/// `fc1`, `relu1`, `fc2`, ..., `output`.
fn chain(sizes: &[u32]) -> Vec<NetworkLayer> {
    let count = sizes.len() - 1;
    let layer = |(index, &units): (usize, &u32)| {
        let last = index + 1 == count;
        NetworkLayer {
            name: if last {
                "output".to_owned()
            } else {
                format!("fc{}", index + 1)
            },
            units: units as usize,
            activation: (!last).then(|| NetworkActivation {
                name: format!("relu{}", index + 1),
                rectifies: true,
            }),
        }
    };
    sizes[1..].iter().enumerate().map(layer).collect()
}

/// Dense layers, each but the last followed by one activation layer.
fn listed(specs: &[LayerSpec], at: &Pointer, faults: &mut Vec<Fault>) -> Vec<NetworkLayer> {
    let mut layers: Vec<NetworkLayer> = Vec::new();
    let mut names = HashSet::from(["input"]);
    let last_dense = specs.iter().rposition(|spec| spec.dense.is_some());
    for (index, spec) in specs.iter().enumerate() {
        let at = at.at(index);
        if !names.insert(&spec.name) {
            faults.push(Fault::new(
                at.at("name"),
                format!("`{}` is taken", spec.name),
            ));
        }
        match (spec.dense, spec.activation) {
            (Some(units), None) => {
                if let Some(above) = layers.last().filter(|above| above.activation.is_none()) {
                    let detail = format!(
                        "dense layer `{}` follows dense layer `{}`; put an activation between them",
                        spec.name, above.name
                    );
                    faults.push(Fault::new(&at, detail));
                }
                layers.push(NetworkLayer {
                    name: spec.name.clone(),
                    units: units as usize,
                    activation: None,
                });
            }
            (None, Some(kind)) => {
                let behind_output = last_dense.is_none_or(|last| index > last);
                match (kind, layers.last_mut()) {
                    // The logits' arg-max is the class: behind them these change nothing.
                    (ActivationKind::Softmax | ActivationKind::Linear, Some(_))
                        if behind_output && index + 1 == specs.len() => {}
                    (ActivationKind::Relu, Some(_)) if behind_output => faults.push(Fault::new(
                        at.at("activation"),
                        "the network ends in logits: behind its last dense layer `softmax` or \
                         `linear` may stand",
                    )),
                    (ActivationKind::Softmax, _) => faults.push(Fault::new(
                        at.at("activation"),
                        "`softmax` may only be the last layer",
                    )),
                    (kind, Some(above)) if above.activation.is_none() => {
                        above.activation = Some(NetworkActivation {
                            name: spec.name.clone(),
                            rectifies: kind == ActivationKind::Relu,
                        });
                    }
                    _ => faults.push(Fault::new(
                        &at,
                        format!("activation layer `{}` must follow a dense layer", spec.name),
                    )),
                }
            }
            _ => faults.push(Fault::new(&at, "needs either `dense` or `activation`")),
        }
    }
    if layers.is_empty() {
        faults.push(Fault::new(at, "has no dense layer"));
    }
    layers
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
