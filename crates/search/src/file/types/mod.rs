//! The search file's types, as a user writes it.
//!
//! The doc comments here are the descriptions in the JSON schema: editors show them.

mod model;
mod settings;
mod space;

pub use model::*;
pub(super) use settings::default_clock_mhz;
pub use settings::*;
pub use space::*;

use crate::search::{Order, Split};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A search: which quantizers to try on which network, aiming at what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchFile {
    /// Version of this format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// What this file is.
    pub kind: Kind,
    /// Name: small letters, digits and hyphens, at most 63.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,63}$"))]
    pub name: String,
    /// Free text.
    #[serde(default)]
    #[schemars(length(max = 4000))]
    pub description: String,
    /// Free labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Registered data set, by name or with its split.
    pub dataset: DatasetSpec,
    /// Network without quantizers.
    pub model: ModelSpec,
    /// Short for the default search space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceName>,
    /// Pools, rules, groups and seed trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_space: Option<SearchSpaceSpec>,
    /// Training recipe.
    #[serde(default)]
    pub training: TrainingSpec,
    /// Target device, `part@200MHz` or part and clock; `bitfront device ls` lists the known parts.
    #[serde(default)]
    pub device: DeviceSpec,
    /// How circuits are built, for which clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitSpec>,
    /// Two objectives: one of quality and one of cost, in the order of the axes.
    #[schemars(length(min = 1, max = 4))]
    pub objectives: Vec<ObjectiveSpec>,
    /// Bounds a front member must keep; trials that break one are kept and marked.
    #[serde(default)]
    pub constraints: Vec<ConstraintSpec>,
    /// Where the hypervolume is measured from, for each objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_point: Option<BTreeMap<String, f64>>,
    /// How points are chosen, by name or with settings.
    #[serde(default)]
    pub sampler: SamplerSpec,
    /// How much work.
    pub budget: BudgetSpec,
    /// Whether proposals follow trial numbers (reproducible) or arrival.
    #[serde(default = "by_number")]
    pub order: Order,
    /// Which front members become circuits.
    #[serde(default)]
    pub synthesis: SynthesisSpec,
    /// The one number that fixes sampling, initial weights and shuffling.
    #[serde(default)]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub seed: u64,
}

fn by_number() -> Order {
    Order::Number
}

/// Version of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first.
    #[serde(rename = "v1")]
    V1,
}

/// Kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A search.
    Search,
}

/// A data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DatasetSpec {
    /// By name, with the default split.
    Name(String),
    /// With its split and what is predicted.
    Full(DatasetFull),
}

/// A data set with its split and what is predicted of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetFull {
    /// Registered name.
    pub name: String,
    /// Shares of train, validation and test; they sum to 1. Default 0.64, 0.16, 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Names of the features that are predicted, in the order of the outputs; the network does not read them.
    /// The file's labels are predicted if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// A quantizer as a `QKeras` string: `quantized_bits(6,0,alpha=1.0)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuantizerText(pub String);

impl JsonSchema for QuantizerText {
    fn schema_name() -> Cow<'static, str> {
        "Quantizer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "quantizer",
            "description": "A quantizer as a QKeras string: `quantized_bits(6,0,alpha=1.0)`."
        })
    }
}
