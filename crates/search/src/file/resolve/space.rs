//! The search space section: pools and rules, and the places they are for.

use super::pools::Pools;
use super::sampler::learns_bits;
use super::variables::{groups, variables};
use crate::file::fault::{Fault, list};
use crate::file::pointer::Pointer;
use crate::file::types::{ChoiceSpec, LayerType, MatchSpec, RuleSpec, SearchFile};
use crate::search::Network;
use crate::space::{Parameter, Space};
use bitfront_quantizer::Quantizer;

/// A place in the network that stores numbers, with the quantizers it may have.
pub(super) struct Place {
    /// The layer's name in rules and groups.
    pub(super) layer: String,
    /// Index of the layer (0 for the input).
    pub(super) index: usize,
    /// Kind of the layer.
    pub(super) kind: &'static str,
    pub(super) parameter: Parameter,
    /// Whether it is an activation that rectifies.
    pub(super) rectifies: bool,
    /// What stands here in the float reference.
    pub(super) float: Quantizer,
    /// The quantizers it may have; `None` until rules are read, and after a fault.
    pub(super) choices: Option<Vec<Quantizer>>,
}

/// The space of `file`; `None` if it has faults.
pub(super) fn space(
    file: &SearchFile,
    network: &Network,
    pools: &Pools<'_>,
    input: Quantizer,
    faults: &mut Vec<Fault>,
) -> Option<Space> {
    let before = faults.len();
    let at = Pointer::root().at("search_space");
    if file.space.is_some() && file.search_space.is_some() {
        let detail = "`space` and `search_space` exclude each other: the default pools hold \
                      wherever `search_space` says nothing";
        faults.push(Fault::new("/space", detail));
    }
    let mut places = places(network);
    let spec = file.search_space.clone().unwrap_or_default();
    let winners = winners(&spec.rules, &places, pools, &at.at("rules"), faults);
    for (place, winner) in places.iter_mut().zip(winners) {
        place.choices = match winner {
            Some((choice, at)) => choices(choice, place.parameter, pools, &at, faults),
            None if place.parameter == Parameter::Input => Some(vec![input]),
            // What is learned is not chosen: the float network with its input's grid.
            None if learns_bits(file) => Some(vec![place.float]),
            None => pools.choices(default_pool(place), place.parameter, faults),
        };
    }
    for name in spec.pools.keys().filter(|name| !is_used(name, &spec.rules)) {
        let detail = "no rule names this pool";
        faults.push(
            Fault::new(at.at("pools").at(name), detail)
                .did_you_mean(name, ["kernel", "bias", "activation", "linear", "input"]),
        );
    }
    let groups = groups(&spec.groups, &places, &at.at("groups"), faults);
    if faults.len() > before {
        return None;
    }
    let space = Space {
        variables: variables(&places, &groups),
    };
    if space.checked_size().is_none() {
        faults.push(Fault::new(
            &at,
            "has more than 2^128 points; use smaller pools or groups",
        ));
        return None;
    }
    Some(space)
}

/// The input, then each layer's quantizers.
fn places(network: &Network) -> Vec<Place> {
    let mut places = vec![Place {
        layer: "input".to_owned(),
        index: 0,
        kind: "input",
        parameter: Parameter::Input,
        rectifies: false,
        float: network.float.input_quantizer,
        choices: None,
    }];
    for (index, layer) in network.float.layers.iter().enumerate() {
        for (place, float) in layer.operation.quantizers() {
            places.push(Place {
                layer: layer.name.clone(),
                index,
                kind: layer.operation.kind(),
                parameter: Parameter::of(place),
                rectifies: network.rectifies(index),
                float,
                choices: None,
            });
        }
    }
    places
}

fn default_pool(place: &Place) -> &'static str {
    match place.parameter {
        Parameter::Input => "input",
        Parameter::Kernel | Parameter::PointwiseKernel => "kernel",
        Parameter::Bias => "bias",
        Parameter::Activation if place.rectifies => "activation",
        Parameter::Activation => "linear",
    }
}

fn is_used(pool: &str, rules: &[RuleSpec]) -> bool {
    let default = ["kernel", "bias", "activation", "linear", "input"].contains(&pool);
    default
        || rules.iter().any(|rule| {
            let mut keys = keys(rule).into_iter().filter_map(|(_, choice)| choice);
            keys.any(|choice| choice.pool.as_deref() == Some(pool))
        })
}

fn keys(rule: &RuleSpec) -> [(Parameter, Option<&ChoiceSpec>); 5] {
    [
        (Parameter::Input, rule.input.as_ref()),
        (Parameter::Kernel, rule.kernel.as_ref()),
        (Parameter::PointwiseKernel, rule.pointwise_kernel.as_ref()),
        (Parameter::Bias, rule.bias.as_ref()),
        (Parameter::Activation, rule.activation.as_ref()),
    ]
}

/// For each place the last rule that matches it and has its key.
fn winners<'a>(
    rules: &'a [RuleSpec],
    places: &[Place],
    pools: &Pools<'_>,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) -> Vec<Option<(&'a ChoiceSpec, Pointer)>> {
    let mut winners: Vec<Option<(&ChoiceSpec, Pointer)>> = vec![None; places.len()];
    for (index, rule) in rules.iter().enumerate() {
        let at = at.at(index);
        if rule.matches == MatchSpec::default() {
            let detail = "matches nothing: needs `type`, `name` or both";
            faults.push(Fault::new(at.at("match"), detail));
            continue;
        }
        let matched: Vec<usize> = (0..places.len())
            .filter(|&place| is_match(&rule.matches, &places[place]))
            .collect();
        if matched.is_empty() {
            faults.push(no_layer(&rule.matches, places, &at.at("match")));
            continue;
        }
        let given = keys(rule)
            .into_iter()
            .filter_map(|(key, choice)| Some((key, choice?)));
        let mut has_keys = false;
        for (key, choice) in given {
            has_keys = true;
            let at = at.at(key);
            check_choice(choice, pools, &at, faults);
            let mut applies = false;
            for &place in matched
                .iter()
                .filter(|&&place| places[place].parameter == key)
            {
                winners[place] = Some((choice, at.clone()));
                applies = true;
            }
            if !applies {
                let detail = format!("no layer that this rule matches has a {key} to quantize");
                faults.push(Fault::new(&at, detail));
            }
        }
        if !has_keys {
            let detail =
                "sets nothing: needs `kernel`, `pointwise_kernel`, `bias`, `activation` or `input`";
            faults.push(Fault::new(&at, detail));
        }
    }
    winners
}

fn is_match(matches: &MatchSpec, place: &Place) -> bool {
    let of_type = matches
        .layer_type
        .is_none_or(|layer_type| match layer_type {
            LayerType::Dense => place.kind == "dense",
            LayerType::Conv => place.kind == "conv",
            LayerType::DepthwiseConv => place.kind == "depthwise_conv",
            LayerType::SeparableConv => place.kind == "separable_conv",
            LayerType::Activation => place.parameter == Parameter::Activation,
            LayerType::Relu => place.parameter == Parameter::Activation && place.rectifies,
            LayerType::Linear => place.parameter == Parameter::Activation && !place.rectifies,
            LayerType::Input => place.parameter == Parameter::Input,
        });
    let named = matches.name.as_deref();
    of_type && named.is_none_or(|pattern| matches_name(pattern, &place.layer))
}

/// Whether `name` fits `pattern`, in which `*` stands for any text.
fn matches_name(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(head) else {
        return false;
    };
    (0..=name.len())
        .filter(|&cut| name.is_char_boundary(cut))
        .any(|cut| matches_name(rest, &name[cut..]))
}

fn no_layer(matches: &MatchSpec, places: &[Place], at: &Pointer) -> Fault {
    let names = || {
        let mut names: Vec<&str> = places.iter().map(|place| place.layer.as_str()).collect();
        names.dedup();
        names
    };
    let detail = format!("matches no layer; there are {}", list(names()));
    match &matches.name {
        Some(pattern) => Fault::new(at.at("name"), detail).did_you_mean(pattern, names()),
        None => Fault::new(at.at("type"), detail),
    }
}

/// Faults that do not depend on the places a rule wins.
fn check_choice(choice: &ChoiceSpec, pools: &Pools<'_>, at: &Pointer, faults: &mut Vec<Fault>) {
    match (&choice.pool, &choice.fixed) {
        (Some(pool), None) if !pools.contains(pool) => {
            let detail = format!(
                "no pool is named `{pool}`; there are {}",
                list(pools.names())
            );
            faults.push(Fault::new(at.at("pool"), detail).did_you_mean(pool, pools.names()));
        }
        (Some(_), None) => {}
        (None, Some(_)) => {
            for (key, bound) in [("min_bits", choice.min_bits), ("max_bits", choice.max_bits)] {
                if bound.is_some() {
                    let detail = "bounds a pool; a fixed quantizer has its own bits";
                    faults.push(Fault::new(at.at(key), detail));
                }
            }
        }
        _ => faults.push(Fault::new(at, "needs either `pool` or `fixed`")),
    }
}

/// The quantizers that a rule gives a place.
fn choices(
    choice: &ChoiceSpec,
    parameter: Parameter,
    pools: &Pools<'_>,
    at: &Pointer,
    faults: &mut Vec<Fault>,
) -> Option<Vec<Quantizer>> {
    if let Some(fixed) = &choice.fixed {
        let at = at.at("fixed");
        return Some(vec![pools.quantizer(fixed, parameter, &at, faults)?]);
    }
    let pool = choice.pool.as_deref()?;
    let all = pools.choices(pool, parameter, faults)?;
    let (least, most) = (
        choice.min_bits.unwrap_or(0),
        choice.max_bits.unwrap_or(u32::MAX),
    );
    let within = |quantizer: &&Quantizer| (least..=most).contains(&quantizer.bits());
    let choices: Vec<Quantizer> = all.iter().filter(within).copied().collect();
    if choices.is_empty() {
        let mut bits: Vec<u32> = all.iter().map(Quantizer::bits).collect();
        bits.dedup();
        let detail = format!(
            "leaves nothing of pool `{pool}`, which has {} bits",
            list(bits)
        );
        let fault = Fault::new(at, detail);
        if !faults.contains(&fault) {
            faults.push(fault);
        }
        return None;
    }
    Some(choices)
}

#[cfg(test)]
mod tests {
    use super::matches_name;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, name, fits) in [
            ("fc1", "fc1", true),
            ("fc1", "fc11", false),
            ("fc*", "fc11", true),
            ("*1", "relu1", true),
            ("*l*1", "relu1", true),
            ("f*c*2", "fc1", false),
            ("*", "", true),
        ] {
            assert_eq!(matches_name(pattern, name), fits, "{pattern} on {name}");
        }
    }
}
